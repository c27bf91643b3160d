"""`martlet.toml` and MARTLET_… variables: which value holds, where it comes from, and what is refused by its name."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from features.errors import BadInput
from features.keys import DEFAULT_PARTITIONS
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.home.topology import ALONE
from infra.services.environment import python_env
from infra.settings.addresses import engines_by, program_in
from infra.settings.reading import OPTIONS, Given, read_settings, value_of
from infra.settings.settings_report import HIDDEN, report_settings
from infra.settings.table import FIELDS, SECRET_VARIABLES, Settings
from infra.up_options import UpOptions

PORTS = Ports(*range(1, 10))


def given(folder: Path, text: str = "", environment: Mapping[str, str] | None = None, **options: str | None) -> Given:
    """The settings of a home with this file, which its owner alone may read."""
    file = folder / "martlet.toml"
    file.write_text(text)
    file.chmod(0o600)
    return read_settings(
        Home(folder), environment or {}, {key.replace("__", "."): each for key, each in options.items()}
    )


def test_nothing_is_attached_by_default(tmp_path: Path) -> None:
    assert read_settings(Home(tmp_path), {}, {}).settings == Settings()
    engines = engines_by(Settings(), Home(tmp_path), PORTS, ALONE, DEFAULT_PARTITIONS)
    assert (engines.kafka.bootstrap, str(engines.redis)) == ("127.0.0.1:3", "redis://127.0.0.1:2")


def test_an_option_holds_before_a_variable_and_a_variable_before_the_file(tmp_path: Path) -> None:
    text = '[spark]\nmaster = "local[1]"\n'
    assert given(tmp_path, text).settings.spark.master == "local[1]"
    variable = {"MARTLET_SPARK_MASTER": "local[2]"}
    assert given(tmp_path, text, variable).settings.spark.master == "local[2]"
    both = given(tmp_path, text, variable, spark__master="local[3]")
    assert both.settings.spark.master == "local[3]"
    assert both.origins["spark.master"].text == "--master"
    assert given(tmp_path, text).origins["spark.master"].text == f"{tmp_path / 'martlet.toml'}, line 2"
    assert given(tmp_path).origins["spark.master"].text == "default"


def test_a_variable_is_read_as_the_type_of_its_field(tmp_path: Path) -> None:
    variables = {"MARTLET_KAFKA_BOOTSTRAP": "a:1", "MARTLET_KAFKA_TLS": "true", "MARTLET_KAFKA_REPLICATION": "3"}
    kafka = given(tmp_path, environment=variables).settings.kafka
    assert (kafka.tls, kafka.replication) == (True, 3)


def test_the_number_of_partitions_comes_from_the_home_whichever_kafka_it_is(tmp_path: Path) -> None:
    for kafka in ({}, {"MARTLET_KAFKA_BOOTSTRAP": "a:1"}):
        settings = given(tmp_path, environment=kafka).settings
        assert engines_by(settings, Home(tmp_path), PORTS, ALONE, 64).kafka.partitions == 64
    assert given(tmp_path, "[kafka]\npartitions = 64\n").settings.kafka.partitions == 64
    assert given(tmp_path, environment={"MARTLET_KAFKA_PARTITIONS": "256"}).settings.kafka.partitions == 256
    assert read_settings(Home(tmp_path), {}, UpOptions(partitions=1).settings()).settings.kafka.partitions == 1


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("[kafka]\npartitions = 257\n", r"line 2, kafka\.partitions: expected 1 to 256, got 257"),
        ("[kafka]\npartitions = 0\n", r"line 2, kafka\.partitions: expected 1 to 256, got 0"),
        ("[kafka]\nbootstrap = 7\n", r"martlet\.toml, line 2, kafka\.bootstrap: expected HOST:PORT .*, got 7"),
        ('[kafka]\nbootstrap = "kafka"\n', r"line 2, kafka\.bootstrap: expected HOST:PORT .*, got 'kafka'"),
        (
            '[kafka]\nbootstrap = "kafka..example:9092"\n',
            r"line 2, kafka\.bootstrap: expected a host's name or address",
        ),
        (f'[api]\naddress = "http://{"a" * 64}:8000"\n', r"line 2, api\.address: expected a host's name or address"),
        ('[models]\nserver = "http://a..b:8501"\n', r"line 2, models\.server: expected a host's name or address"),
        ('[redis]\nurl = "redis://[:::]:6379"\n', r"line 2, redis\.url: expected a host's name or address, got ':::'"),
        ('[flink]\naddress = "http://[1.2]:8081"\n', r"line 2, flink\.address: expected http://HOST:PORT"),
        ('[kafka]\nbootstrap = "a:70000"\n', r"kafka\.bootstrap: expected a port from 1 to 65535, got 70000"),
        (
            '[kafka]\n\nbootstrapp = "a:1"\n',
            r"line 3, kafka\.bootstrapp: expected one of bootstrap, .*, got bootstrapp",
        ),
        ('[kafak]\nbootstrap = "a:1"\n', r"line 1, kafak: expected one of kafka, redis, .*, got kafak"),
        ("kafka = 3\n", r"line 1, kafka: expected a table \[kafka\], got 3"),
        ("[kafka\n", r"martlet\.toml: expected TOML"),
        ("[kafka]\ntls = true\n", r"line 2, kafka\.tls: expected kafka\.bootstrap with it"),
        ('[kafka]\nbootstrap = "a:1"\nreplication = 0\n', r"line 3, kafka\.replication: expected .* from 1 on, got 0"),
        ('[kafka]\nbootstrap = "a:1"\nuser = "me"\n', r"line 3, kafka\.user: expected kafka\.password with it"),
        ('[kafka]\nbootstrap = "a:1"\nca = "ca.pem"\n', r"line 3, kafka\.ca: expected kafka\.tls = true with it"),
        ('[kafka]\nbootstrap = "a:1"\ntopic_prefix = "a/b"\n', r"kafka\.topic_prefix: expected at most 200 letters"),
        (
            '[kafka]\nbootstrap = "a:1"\nuser = "me"\npassword = "p"\nmechanism = "PLAIN"\n',
            r"line 5, kafka\.mechanism: expected SCRAM or kafka\.tls = true, .*, got PLAIN",
        ),
        ('[kafka]\nbootstrap = "a:1"\nmechanism = "MD5"\n', r"kafka\.mechanism: expected SCRAM-SHA-512, .*, got 'MD5'"),
        ('[redis]\nurl = "http://cache:6379"\n', r"redis\.url: expected redis://HOST:PORT"),
        ('[redis]\nurl = "redis://me:secret@cache:6379"\n', r"redis\.url: expected .* without user and password"),
        ('[redis]\nurl = "redis://cache:99999"\n', r"redis\.url: expected a port from 1 to 65535, got 99999"),
        ('[redis]\nurl = "redis://cache"\npassword = "p"\n', r"redis\.url: expected rediss://, since the password"),
        ('[redis]\nurl = "redis://cache"\nca = "ca.pem"\n', r"redis\.ca: expected a redis\.url with rediss://"),
        ("[redis]\ncluster = true\n", r"line 2, redis\.cluster: expected redis\.url with it"),
        ("[redis]\nclusters = true\n", r"line 2, redis\.clusters: expected one of url, .*, got clusters"),
        ('[redis]\nurl = "redis://a,b"\n', r"redis\.url: expected one server, or redis\.cluster = true, got 2 servers"),
        ('[redis]\nurl = "redis://a:1,b:0"\ncluster = true\n', r"redis\.url: expected a port from 1 to 65535, got 0"),
        (
            '[redis]\nurl = "redis://a/2"\ncluster = true\n',
            r"redis\.url: expected database 0, the only one of a Redis Cl",
        ),
        (
            '[redis]\nurl = "redis://127.0.0.1,b"\ncluster = true\npassword = "p"\n',
            r"redis\.url: expected rediss://, since the password would be sent to b as it is",
        ),
        (
            '[redis]\nurl = "redis://a"\nserver = "/bin/sh"\n',
            r"redis\.server: expected either redis\.url or redis\.server",
        ),
        ('[redis]\nserver = "/no/redis"\n', r"redis\.server: expected a program that there is, got /no/redis"),
        ('[redis]\nuser = "me"\n', r"redis\.user: expected redis\.url with it"),
        ('[flink]\naddress = "https://a:8081"\n', r"flink\.address: expected http://HOST:PORT"),
        ('[flink]\naddress = "http://a"\n', r"flink\.address: expected http://HOST:PORT"),
        ('[flink]\naddress = "http://127.0.0.1:70000"\n', r"line 2, flink\.address: expected a port from 1 to 65535"),
        (
            '[flink]\naddress = "http://a:8081,b:8081"\n',
            r"flink\.address: expected http://HOST:PORT; of several .*,http://",
        ),
        (
            '[flink]\naddress = "http://127.0.0.1:8081,http://127.0.0.1:0"\n',
            r"line 2, flink\.address: expected a port from 1 to 65535, got 0",
        ),
        (
            '[flink]\naddress = "http://127.0.0.1:8081,http://flink:8081"\n[kafka]\nbootstrap = "a:1"\n',
            r"line 2, flink\.address: expected redis\.url with it",
        ),
        ('[flink]\npython = "/usr/bin/python3"\n', r"line 2, flink\.python: expected flink\.address with it"),
        (
            '[flink]\naddress = "http://flink:8081"\n[kafka]\nbootstrap = "a:1"\n',
            r"line 2, flink\.address: expected redis\.url with it, since `up` starts one for this machine alone",
        ),
        (
            '[flink]\naddress = "http://flink:8081"\n[redis]\nurl = "redis://cache"\n',
            r"line 2, flink\.address: expected kafka\.bootstrap with it",
        ),
        (
            '[flink]\naddress = "http://127.0.0.1:8081"\n[kafka]\nbootstrap = "127.0.0.1:1"\nuser = "me"\npassword = "a\\"b"\n',
            r'line 6, kafka\.password: expected a line without " and \\, since an attached Flink.* got another one',
        ),
        ('[spark]\nmaster = "mesos://a"\n', r"spark\.master: expected local\[…\], spark://HOST:PORT"),
        ("[api]\nprocesses = 0\n", r"line 2, api\.processes: expected 1 to 16, got 0"),
        ("[api]\nprocesses = 17\n", r"line 2, api\.processes: expected 1 to 16, got 17"),
        ('[api]\ncertificate = "a.pem"\n', r"line 2, api\.certificate: expected api\.key with it"),
        ('[api]\nkey = "a.pem"\n', r"line 2, api\.key: expected api\.certificate with it"),
        ('[api]\nhost = "two words"\n', r"line 2, api\.host: expected an address of this machine"),
        ('[log]\nformat = "xml"\n', r"line 2, log\.format: expected text, json, got 'xml'"),
        ('[models]\nserver = "somewhere"\n', r"models\.server: expected HOST:PORT for gRPC"),
        ('[models]\nstore = "shop/models"\n', r"models\.store: expected an absolute path, or s3://BUCKET/FOLDER"),
        (
            '[s3]\nendpoint = "http://a:9"\n',
            r"line 2, s3\.endpoint: expected flink\.checkpoints or models\.store in a bucket",
        ),
        ('[models]\nstore = "/mnt/x"\n[s3]\nregion = "r"\n', r"line 4, s3\.region: expected .* in a bucket with it"),
        (
            '[flink]\ncheckpoints = "s3://shop/home"\n[models]\nstore = "s3://shop/home/"\n',
            r"line 4, models\.store: expected another place than that of flink\.checkpoints, got s3://shop/home/",
        ),
        (
            '[flink]\ncheckpoints = "/mnt/home/flink"\n[models]\nstore = "/mnt/home"\n',
            r"line 4, models\.store: expected another place than that of flink\.checkpoints, got /mnt/home",
        ),
    ],
)
def test_a_wrong_setting_names_itself(tmp_path: Path, text: str, refusal: str) -> None:
    with pytest.raises(BadInput, match=refusal):
        given(tmp_path, text)


def test_a_variable_that_sets_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="MARTLET_KAFKA_BOOTSTRP: expected one of MARTLET_KAFKA_BOOTSTRAP, "):
        given(tmp_path, environment={"MARTLET_KAFKA_BOOTSTRP": "a:1"})
    with pytest.raises(BadInput, match=r"MARTLET_KAFKA_TLS, kafka\.tls: expected true or false, got 'perhaps'"):
        given(tmp_path, environment={"MARTLET_KAFKA_TLS": "perhaps"})
    assert given(tmp_path, environment={"MARTLET_PYTHON": "python3", "MARTLET_REDIS_URL": ""}).settings == Settings()


def test_a_file_with_a_secret_must_be_its_owners_alone(tmp_path: Path) -> None:
    text = '[redis]\nurl = "redis://localhost"\npassword = "p"\n'
    assert given(tmp_path, text).settings.redis.password == "p"
    (tmp_path / "martlet.toml").chmod(0o640)
    with pytest.raises(
        BadInput, match=r"its owner alone may read, since it holds redis\.password: chmod 600, got mode 640"
    ):
        read_settings(Home(tmp_path), {}, {})
    (tmp_path / "martlet.toml").write_text('[redis]\nurl = "redis://localhost"\n')
    variable = {"MARTLET_REDIS_PASSWORD": "p"}
    assert read_settings(Home(tmp_path), variable, {}).settings.redis.password == "p"


def test_no_secret_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARTLET_KAFKA_PASSWORD", "swordfish")
    variables = {"MARTLET_KAFKA_BOOTSTRAP": "localhost:1", "MARTLET_KAFKA_USER": "me"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lines: list[str] = []
    report_settings(Home(tmp_path), {}, lines.append)
    (line,) = [each for each in lines if each.startswith("password") and "KAFKA" in each]
    assert HIDDEN in line
    assert "swordfish" not in "\n".join(lines)
    settings = read_settings(Home(tmp_path), os.environ, {}).settings
    engines = engines_by(settings, Home(tmp_path), PORTS, ALONE, DEFAULT_PARTITIONS)
    assert "swordfish" not in f"{engines} {engines!r} {engines.kafka} {engines.redis}"
    assert engines.kafka.client_options()["sasl_plain_password"] == "swordfish"
    assert not SECRET_VARIABLES & set(python_env())
    with pytest.raises(BadInput, match="a value that is not shown") as refused:
        given(tmp_path, "[kafka]\npassword = 1234\n")
    assert "1234" not in str(refused.value)


def test_files_of_tls_are_relative_to_the_home(tmp_path: Path) -> None:
    text = (
        '[kafka]\nbootstrap = "a:1"\ntls = true\nca = "ca.pem"\n[redis]\nurl = "rediss://b/3"\ncertificate = "/c.pem"\n'
    )
    engines = engines_by(given(tmp_path, text).settings, Home(tmp_path), PORTS, ALONE, DEFAULT_PARTITIONS)
    assert engines.kafka.tls is not None
    assert engines.kafka.tls.ca == str(tmp_path / "ca.pem")
    assert (engines.redis.port, engines.redis.database) == (6379, 3)
    assert engines.redis.tls is not None
    assert engines.redis.tls.certificate == "/c.pem"
    with pytest.raises(BadInput, match=r"ca\.pem: expected a PEM file of authorities, got FileNotFoundError"):
        engines.kafka.client_options()


def test_a_link_to_a_file_of_tls_stays_one_since_it_leads_elsewhere_in_another_pod(tmp_path: Path) -> None:
    volume = tmp_path / "certificates"
    (volume / "..2026").mkdir(parents=True)
    (volume / "..2026" / "ca.pem").write_text("")
    (volume / "..data").symlink_to("..2026")
    (volume / "ca.pem").symlink_to("..data/ca.pem")
    text = f'[kafka]\nbootstrap = "a:1"\ntls = true\nca = "{volume}/ca.pem"\n'
    engines = engines_by(given(tmp_path, text).settings, Home(tmp_path), PORTS, ALONE, DEFAULT_PARTITIONS)
    assert engines.kafka.tls is not None
    assert engines.kafka.tls.ca == f"{volume}/ca.pem"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder `elsewhere` of a home is the working one, and its folder `path` is PATH."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("name", "file"), [("bin/mine", "bin/mine"), ("./mine", "mine"), ("mine", "path/mine"), ("path/mine", "path/mine")]
)
def test_a_program_is_relative_to_the_home_or_on_path_wherever_one_stands(tmp_path: Path, name: str, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.touch(0o755)
    assert given(tmp_path, f'[redis]\nserver = "{name}"\n').settings.redis.server == name
    assert program_in(Home(tmp_path), name) == path


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(("name", "file"), [("mine", "mine"), ("mine", "elsewhere/mine"), ("./mine", "elsewhere/mine")])
def test_a_program_is_looked_for_nowhere_else(tmp_path: Path, name: str, file: str) -> None:
    (tmp_path / file).touch(0o755)
    with pytest.raises(BadInput, match=rf"redis\.server: expected a program that there is, got {name}"):
        given(tmp_path, f'[redis]\nserver = "{name}"\n')


def test_options_that_are_settings_are_in_the_table() -> None:
    assert set(OPTIONS) <= {field.path for field in FIELDS}


def test_a_setting_alone_holds_whatever_the_others_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "martlet.toml").write_text('[kafka]\nuser = "without a bootstrap"\n[spark]\nmaster = "local[1]"\n')
    assert value_of(Home(tmp_path), "spark.master", None) == "local[1]"
    monkeypatch.setenv("MARTLET_SPARK_MASTER", "local[2]")
    assert value_of(Home(tmp_path), "spark.master", None) == "local[2]"
    assert value_of(Home(tmp_path), "spark.master", "local[3]") == "local[3]"
    with pytest.raises(BadInput, match=r"spark\.master: expected local\[…\], spark://HOST:PORT"):
        value_of(Home(tmp_path), "spark.master", "spark://a")
