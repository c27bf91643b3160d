"""The heap of a TaskManager may grow where the job's state lies in it, and nowhere else."""

from pathlib import Path

import pytest

from infra.flink.cluster import MEMORY, ROCKSDB, task_manager
from infra.flink.flink_java import state_heap
from infra.home.paths import Home
from infra.home.ports import Ports
from streaming.machine_memory import machine_memory


@pytest.mark.parametrize(
    ("state", "parallelism", "limit"),
    [(MEMORY, 1, state_heap(machine_memory(), 2)), (MEMORY, 8, state_heap(machine_memory(), 16)), (ROCKSDB, 1, 512)],
)
def test_the_heap_begins_small_and_has_its_limit(tmp_path: Path, state: str, parallelism: int, limit: int) -> None:
    home = Home(tmp_path).make()
    argv = task_manager(home, Ports.choose(0, {}), {}, 1, state, parallelism).argv
    assert [word for word in map(str, argv) if word.startswith(("-Xmx", "-Xms"))] == [f"-Xmx{limit}m", "-Xms512m"]


def test_more_task_managers_share_what_there_is() -> None:
    assert state_heap(64 << 30, 2) == 2048, "a full collection of more would take too long"
    assert 4 * state_heap(32 << 30, 4) <= 4096
