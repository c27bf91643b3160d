"""What a probe job finds out about a cluster from within one of its TaskManagers."""

from pathlib import Path
from typing import Any

import pytest

from features.engines.kafka_address import KafkaAddress
from features.engines.passwords import REDIS_VARIABLE
from features.engines.redis_address import RedisAddress
from infra.attached.flink_entry import flink_findings
from infra.flink import java_classes
from infra.flink.flink_lib import copy_jars
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.settings.table import Flink
from infra.system.processes import free_ports
from tests.redis_process import redis_process
from tests.session_cluster import session_cluster

pytestmark = pytest.mark.services

SECRETS = {REDIS_VARIABLE: "of the cluster"}


@pytest.mark.soak
def test_a_jar_that_the_cluster_lacks_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").make()
    record = HomeRecord(home)
    record.describe("none", None)
    with session_cluster(tmp_path / "cluster", 2, lacks="martlet-streaming-*.jar") as cluster:
        found = list(flink_findings(home, record, Flink(address=cluster.address), None, None))
    assert [each.name for each in found if not each.help] == ["Flink: version", "Flink: slots"]
    assert found[-1].name == "Flink: probe"
    assert f"Flink's lib must hold {java_classes.jar().name}, found none" in found[-1].found
    assert "./martlet jars" in found[-1].help
    assert not [each.name for each in home.path.iterdir() if each.name.startswith("martlet-probe-")], (
        "nothing of it is left"
    )


@pytest.mark.soak
def test_a_task_manager_enters_redis_and_kafka_by_the_passwords_of_its_environment(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").make()
    record = HomeRecord(home)
    record.describe("none", None)
    with redis_process(tmp_path) as server, session_cluster(tmp_path / "cluster", 2, secrets=SECRETS) as cluster:
        client: Any = server.client  # of redis-py, without types
        client.execute_command("ACL", "SETUSER", "martlet", "on", ">of the cluster", "+ping")
        there = RedisAddress("127.0.0.1", server.port, user="martlet", password="another one, which stays here")
        flink = Flink(address=f"http://127.0.0.1:{free_ports(1)[0]},{cluster.address}")
        entered = list(flink_findings(home, record, flink, None, there))
        assert entered[-1].found.endswith("and the home's folder, and enters Redis")
        kafka = KafkaAddress("127.0.0.1:1", user="martlet", password="stays here, too")
        refused = list(flink_findings(home, record, flink, kafka, there))[-1]
        assert "MARTLET_KAFKA_PASSWORD: expected a password in the environment of each process" in refused.found
        away = list(flink_findings(home, record, flink, KafkaAddress("127.0.0.1:1"), None))[-1]
        assert "Kafka at 127.0.0.1:1 does not let this TaskManager in" in away.found
    logged = b"".join(path.read_bytes() for path in tmp_path.rglob("*.log"))
    assert b"stays here" not in logged


def test_jars_are_copied_in_place_of_another_versions(tmp_path: Path) -> None:
    for name in ("martlet-streaming-0123456789abcdef.jar", "flink-dist-2.3.0.jar"):
        (tmp_path / name).touch()
    copied = copy_jars(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"flink-dist-2.3.0.jar", *copied}
    own = java_classes.jar()
    assert copied[-1] == own.name
    assert (tmp_path / own.name).read_bytes() == own.read_bytes()
    assert [name.partition("-2")[0].partition("-5")[0] for name in copied[:2]] == [
        "flink-python",
        "flink-sql-connector-kafka",
    ]
