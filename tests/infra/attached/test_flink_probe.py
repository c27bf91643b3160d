"""What a probe job finds out about a cluster from within one of its TaskManagers."""

from pathlib import Path

import pytest

from infra.attached.flink_entry import flink_findings
from infra.flink import java_classes
from infra.flink.flink_lib import copy_jars
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.settings.table import Flink
from tests.session_cluster import session_cluster

pytestmark = pytest.mark.services


def test_a_jar_that_the_cluster_lacks_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").make()
    record = HomeRecord(home)
    record.describe("none", None)
    with session_cluster(tmp_path / "cluster", 2, lacks="martlet-streaming-*.jar") as cluster:
        found = list(flink_findings(home, record, Flink(address=cluster.address)))
    assert [each.name for each in found if not each.help] == ["Flink: version", "Flink: slots"]
    assert found[-1].name == "Flink: probe"
    assert f"Flink's lib must hold {java_classes.jar().name}, found none" in found[-1].found
    assert "./martlet jars" in found[-1].help
    assert not [each.name for each in home.path.iterdir() if each.name.startswith("martlet-probe-")], (
        "nothing of it is left"
    )


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
