"""compose.yaml by the code: every variable, port, path, command and shared setting in it is one that the code knows."""

import json
import re
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from infra.flink.cluster import process_settings, slots_of
from infra.home.paths import Home
from infra.roles.job_role import NEEDED
from infra.services.kafka import broker_settings
from infra.services.redis import STORE_SETTINGS
from infra.settings.reading import read_settings
from infra.settings.table import FIELDS
from infra.system.locks import MAIN_LOCK, pins
from infra.system.packages import COORDINATES
from infra.system.repository import REPO
from models.server import flags
from tests.infra.containers.compose_file import (
    COMPOSE,
    FOLDER,
    ROLES,
    compose,
    environment,
    mounted_files,
    mounts,
    needed_by,
    option,
    service,
)

SERVICES = compose()["services"]
OURS = [*ROLES, "offline"]
LOCKED = dict(pins(MAIN_LOCK))
HOME = "/var/lib/martlet"


def test_it_is_a_compose_file() -> None:
    names = PyCompose.from_json(json.dumps(compose())).service_names()
    assert sorted(names) == sorted(SERVICES)


@pytest.mark.parametrize("name", OURS)
def test_a_roles_variables_are_settings_and_make_a_whole(name: str, tmp_path: Path) -> None:
    known = {field.variable for field in FIELDS}
    assert set(environment(name)) <= known
    given = read_settings(Home(tmp_path), environment(name), {})
    assert [path for path in NEEDED if given.origins[path].kind == "default"] == []


@pytest.mark.parametrize(
    ("role", "variable", "host", "port"),
    [
        ("job", "MARTLET_KAFKA_BOOTSTRAP", "kafka", "9092"),
        ("job", "MARTLET_REDIS_URL", "redis", "6379"),
        ("job", "MARTLET_FLINK_ADDRESS", "jobmanager", "8081"),
        ("api", "MARTLET_MODELS_SERVER", "model-server", option("model-server", "--port")),
        ("api", "MARTLET_WATCH_ADDRESS", "watch", option("watch", "--port")),
        ("watch", "MARTLET_API_ADDRESS", "api", option("api", "--port")),
    ],
)
def test_an_address_is_a_service_and_its_port(role: str, variable: str, host: str, port: str) -> None:
    assert re.fullmatch(rf"(\w+://)?{host}:{port}(/0)?", environment(role)[variable])
    assert host in SERVICES
    assert set(service(role)["networks"]) & set(service(host)["networks"]) == {"inside"}


def test_engines_listen_where_they_are_looked_for() -> None:
    kafka = environment("kafka")
    assert kafka["KAFKA_ADVERTISED_LISTENERS"].endswith("://kafka:9092")
    flink = yaml.safe_load((FOLDER / "flink" / "config.yaml").read_text())
    assert (flink["rest.address"], flink["rest.port"]) == ("jobmanager", 8081)
    assert flink["jobmanager.rpc.address"] == "jobmanager"


def test_engines_are_configured_as_those_of_up() -> None:
    kafka = environment("kafka")
    of_one = broker_settings()
    assert {name: kafka[f"KAFKA_{name.upper().replace('.', '_')}"] for name in of_one} == of_one
    assert {name: option("redis", f"--{name}") for name in STORE_SETTINGS} == STORE_SETTINGS


def test_engines_have_the_versions_that_are_tried() -> None:
    images = {name: each["image"] for name, each in SERVICES.items()}
    assert images["kafka"] == f"apache/kafka:{COORDINATES['kafka'].rsplit(':', 1)[1]}"
    assert images["model-server"] == f"tensorflow/serving:{LOCKED['tensorflow-serving-api']}"
    flink = (FOLDER / "images" / "flink.Dockerfile").read_text()
    assert f"FROM flink:{LOCKED['apache-flink']}-java21" in flink
    assert all(re.search(r":v?\d+\.\d+", image) for image in images.values() if not image.startswith("martlet-"))


def test_the_model_server_takes_its_flags_and_the_file_that_the_watch_writes() -> None:
    given = flags.parse(service("model-server")["command"])
    assert not given.without_effect
    assert option("model-server", "--model_config_file") == str(Home(Path(HOME)).run / "models.config")


def test_taskmanagers_have_a_slot_each_and_one_more_than_a_job_needs() -> None:
    slots = int(str(process_settings()["taskmanager.numberOfTaskSlots"]))
    assert service("taskmanager")["deploy"]["replicas"] * slots == slots_of(1) + 1


def test_all_that_a_savepoint_needs_is_stopped_after_the_keeper_that_takes_it() -> None:
    assert needed_by("job") == {"kafka", "redis", "jobmanager", "taskmanager"}
    assert all("job" in needed_by(role) for role in ("watch", "api", "learn"))


@pytest.mark.parametrize("name", OURS)
def test_images_are_built_by_files_that_there_are(name: str) -> None:
    build = service(name)["build"]
    assert (COMPOSE.parent / build["context"]).resolve() == REPO
    assert (REPO / build["dockerfile"]).is_file()
    assert service(name)["image"] == f"martlet-{(REPO / build['dockerfile']).stem}"


def test_the_home_is_under_one_path_and_read_only_where_it_is_read() -> None:
    modes = {name: mode for name in SERVICES for source, target, mode in mounts(name) if source == "home"}
    assert {target for name in SERVICES for source, target, _ in mounts(name) if source == "home"} == {HOME}
    assert {name for name, mode in modes.items() if mode == "ro"} == {"api", "model-server"}
    for role in ROLES:
        assert option(role, "--home") == HOME


def test_files_that_are_mounted_are_there() -> None:
    assert [path for path in mounted_files() if not path.is_file()] == []


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_confined(name: str) -> None:
    described = service(name)
    assert described["cap_drop"] == ["ALL"]
    assert described["read_only"] is (name != "kafka")
    limits = described["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory"}
    assert all("127.0.0.1:" in port for port in described.get("ports", []))


def test_the_learner_is_the_offline_images() -> None:
    assert service("learn")["image"] == service("offline")["image"]
    assert service("learn")["environment"] == service("offline")["environment"]
    assert option("learn", "--home") == HOME


def test_only_what_people_reach_leaves_the_inside() -> None:
    assert compose()["networks"]["inside"] == {"internal": True}
    assert {name for name in SERVICES if "outside" in service(name)["networks"]} == {"api", "grafana", "offline"}


def test_each_volume_and_secret_is_declared_and_used() -> None:
    sources = {source for name in SERVICES for source, _, _ in mounts(name) if not source.startswith(".")}
    assert sources == set(compose()["volumes"])
    used = {secret for each in SERVICES.values() for secret in each.get("secrets", [])}
    assert used == set(compose()["secrets"])


@pytest.mark.parametrize("role", ROLES)
def test_a_health_check_asks_the_role_itself(role: str) -> None:
    _, _, *words = service(role)["healthcheck"]["test"]
    assert words[:2] == ["-m", "infra.roles.health_check"]
    target = words[2]
    if role == "job":
        assert target == f"{HOME}/run/{Home(REPO).status_file.name}"
    else:
        assert f"127.0.0.1:{option(role, '--port')}/" in target


def test_prometheus_scrapes_the_api_and_the_watch() -> None:
    api, watch = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = api["dns_sd_configs"]
    assert (found["names"], str(found["port"])) == (["api"], option("api", "--port"))
    assert watch["static_configs"] == [{"targets": [f"watch:{option('watch', '--port')}"]}]
