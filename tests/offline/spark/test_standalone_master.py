"""A base by the processes of a standalone Spark: byte for byte the one that this machine's cores make."""

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs import runner
from tests.java import SPARK
from tests.offline.conftest import Row
from tests.patience import patience
from tests.spark_cluster import spark_cluster

pytestmark = [pytest.mark.spark, pytest.mark.soak]
EXECUTORS = "app-*/*/stderr"
SALTED = ("manifest.json", "schema.toml")


def base_by(master: str, folder: Path, dataset: Path) -> dict[str, bytes]:
    """The files of base 1 of a home that is made by a master, but for those that have the home's salt in them."""
    home = Home(folder).make()
    record = HomeRecord(home)
    record.describe(str(dataset), 0.8)
    record.save()
    runner.prepare(home, record, 1, lambda line: None, master, "base", nice=0)
    base = home.bases / "1"
    files = [path for path in sorted(base.rglob("*")) if path.is_file() and path.name not in SALTED]
    return {str(path.relative_to(base)): path.read_bytes() for path in files}


@pytest.mark.timeout(patience(1800))
def test_a_standalone_master_makes_the_base_of_this_machines_cores(
    tmp_path: Path, some_rows: list[Row], write_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SPARK.items():
        monkeypatch.setenv(name, value)
    dataset = write_folder(some_rows)
    with spark_cluster(tmp_path / "cluster") as address:
        by_cluster = base_by(address, tmp_path / "by-cluster", dataset)
    assert list((tmp_path / "cluster" / "worker").glob(EXECUTORS)), "no executor of the worker's has run"
    by_cores = base_by("local[2]", tmp_path / "by-cores", dataset)
    assert by_cluster.keys() == by_cores.keys()
    assert [name for name, content in by_cores.items() if by_cluster[name] != content] == []
    assert {"users.table", "items.table", "pairs.table"} <= by_cores.keys()
