"""TaskManagers that died: one whose tasks a standby took waits for its restart, one that the job lacks does not."""

from collections.abc import Iterable
from typing import Any

import pytest

from infra.flink.standby import Standby
from infra.home.paths import Home
from infra.services.service import Service


class Cluster:
    """Flink's TaskManagers, and the supervisor that knows which have died."""

    def __init__(self, registered: Iterable[str], dead: Iterable[str]) -> None:
        self._registered = registered
        self._dead = set(dead)
        self.restarted: set[str] = set()

    def task_managers(self) -> list[dict[str, Any]]:
        return [{"id": name} for name in self._registered]

    def waiting(self) -> set[str]:
        return self._dead

    def restart_now(self, name: str) -> None:
        self.restarted.add(name)


def service(name: str) -> Service:
    return Service(name, (), lambda: None)


WORKERS = [service(f"taskmanager-{number}") for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("registered", "dead", "restarted"),
    [
        (("taskmanager-2-x", "taskmanager-3-x"), ("taskmanager-1",), set()),
        (("taskmanager-2-x",), ("taskmanager-1",), {"taskmanager-1"}),
        (("taskmanager-3-x",), ("taskmanager-1", "taskmanager-2"), {"taskmanager-1", "taskmanager-2"}),
        (("taskmanager-2-x",), ("api",), set()),
        (("taskmanager-2-x",), (), set()),
    ],
)
def test_a_dead_one_is_restarted_at_once_only_where_the_job_lacks_it(
    tmp_path: Any, registered: tuple[str, ...], dead: tuple[str, ...], restarted: set[str]
) -> None:
    cluster: Any = Cluster(registered, dead)
    standby = Standby(Home(tmp_path).make(), cluster, {}, cluster, WORKERS[-1])
    standby.restart_missing(WORKERS)
    assert cluster.restarted == restarted
