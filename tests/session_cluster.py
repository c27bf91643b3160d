"""A Flink session cluster for tests that belongs to no home: a JobManager and TaskManagers in a folder of their own, each with a
slot."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from features.errors import Unavailable
from infra.flink import cluster
from infra.flink.client import FlinkClient
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.services.supervisor import Supervisor
from infra.storage.file_store import FileStore
from infra.system.probes import http_json
from infra.system.processes import ProcessId
from tests.home import answer_of, until


@dataclass(frozen=True)
class SessionCluster:
    """`address`: of its REST interface."""

    address: str
    supervisor: Supervisor

    def task_manager(self, number: int) -> ProcessId:
        return self.supervisor.child_id(f"taskmanager-{number}")

    def states(self, job_name: str) -> list[str]:
        """The states of all jobs of a name, ended ones included."""
        found = answer_of(FlinkClient(self.address, job_name=job_name).jobs, "Flink")
        return [str(each["state"]) for each in found]

    def await_free(self, task_managers: int | None = None) -> None:
        """Wait until the slots of so many TaskManagers, or of all that live, are free: one is known before its slot is."""

        def is_free() -> bool:
            found = http_json(f"{self.address}/overview")
            slots = found["taskmanagers"] if task_managers is None else task_managers
            return bool(found["slots-available"] == found["slots-total"] == slots)

        until(is_free, 120, "all slots are free", despite=Unavailable)


@contextmanager
def session_cluster(
    folder: Path,
    task_managers: int,
    lacks: str | None = None,
    store: FileStore | None = None,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[SessionCluster]:
    """Starts the cluster, which does not start again what dies in it, whose lib `lacks` the jars of a pattern, which can enter
    the `store` of checkpoints, and whose processes have `secrets` in their environment; stops it at the end."""
    home = Home(folder).make()
    ports = Ports.choose(0, {})
    env = {**cluster.configure(home, ports, store=store), **secrets}
    for jar in [] if lacks is None else (home.flink / "lib").glob(lacks):
        jar.unlink()
    workers = [cluster.task_manager(home, ports, env, number + 1) for number in range(task_managers)]
    supervisor = Supervisor(home)
    try:
        supervisor.start_all([*cluster.job_managers(home, ports, env), *workers])
        started = SessionCluster(ports.flink, supervisor)
        started.await_free(task_managers)
        yield started
    finally:
        supervisor.stop_all()
