"""Keeps the standby TaskManager warm, so that tasks which move there need not wait for imports (see streaming.warm_up)."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from infra.flink.client import FlinkClient
from infra.home.paths import Home
from infra.home.timings import read_timings
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from infra.system.processes import ProcessId, lower_priority, rotate, spawn, stop
from infra.system.repository import REPO

POLL_EVERY = 2.0
WARM_TIMEOUT = 120.0
RETRY_AFTER = 30.0
WARM = "warm"
NICE = 10
"""Niceness of the client that submits the warming job: nobody waits for it."""


class Standby:
    """Starts and warms the standby TaskManager of a cluster, whichever of them is free at the moment."""

    def __init__(
        self, home: Home, flink: FlinkClient, env: Mapping[str, str], supervisor: Supervisor, service: Service
    ) -> None:
        """`service` is the first standby, not started yet."""
        self._home = home
        self._calm = read_timings(home).spare_calm
        self._first: Service | None = service
        self._flink = flink
        self._env = env
        self._supervisor = supervisor
        self._warm: set[str] = set()
        self._client: subprocess.Popen[bytes] | None = None
        self._target = self._reported = ""
        self._deadline = 0.0
        self._next_poll_at = 0.0
        self._calm_since: float | None = None

    def poll(self) -> None:
        """Start the first standby, or warm a cold one, once the job has run calmly; to be called repeatedly. Raises
        Unavailable."""
        if self._client is not None:
            self._await(self._client)
        elif time.monotonic() >= self._next_poll_at:
            self._next_poll_at = time.monotonic() + POLL_EVERY
            target = self._cold()
            if not self._is_calm():
                return
            if self._first is not None:
                self._supervisor.begin(self._first)
                self._first = None
            elif target is not None:
                self._begin(target)

    def restart_missing(self, workers: Sequence[Service]) -> None:
        """Restart TaskManagers that have died without a further wait, if fewer are left than the job needs: all of `workers` but
        one, the standby. Raises Unavailable."""
        waiting = self._supervisor.waiting() & {service.name for service in workers}
        if waiting and len(self._flink.task_managers()) < len(workers) - 1:
            for name in waiting:
                self._supervisor.restart_now(name)

    @property
    def is_warm(self) -> bool:
        """Whether the standby waits, warm: nothing else is to be prepared."""
        return self._reported == WARM

    def give_up_first(self) -> None:
        """Do not start the first standby: all TaskManagers are about to be started anew, the standby with them."""
        self._first = None

    def stop(self) -> None:
        """End a warming client that is still running."""
        if self._client is not None and (process := ProcessId.of(self._client.pid)) is not None:
            stop(process, 2.0)
            self._client.poll()
        self._client = None

    def _cold(self) -> str | None:
        """Returns the address of the only free TaskManager if it is cold; with two free the warming job could go to either."""
        managers = self._flink.task_managers()
        free = [each["path"] for each in managers if each["freeSlots"]]
        working = {each["path"] for each in managers if not each["freeSlots"]}
        self._warm = self._warm & {*free, *working} | working
        if len(free) != 1:
            self._report(f"{len(free)} TaskManagers are free")
            return None
        address: str = free[0]
        if address in self._warm:
            self._report(WARM)
            return None
        self._report("cold")
        return address

    def _is_calm(self) -> bool:
        if not any(job["tasks"]["running"] == job["tasks"]["total"] for job in self._flink.jobs()):
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = time.monotonic()
        return self._calm_since is not None and time.monotonic() - self._calm_since > self._calm

    def _begin(self, target: str) -> None:
        argv = [sys.executable, "-m", "streaming.warm_up"]
        log = self._home.logs / "warm.log"
        rotate(log)
        self._client = spawn(argv, log, self._env, REPO)
        lower_priority(self._client.pid, NICE)
        self._target, self._deadline = target, time.monotonic() + WARM_TIMEOUT
        self._report("warming")

    def _await(self, client: subprocess.Popen[bytes]) -> None:
        code = client.poll()
        if code is None and time.monotonic() < self._deadline:
            return
        self.stop()
        if code == 0:
            self._warm.add(self._target)
            self._report(WARM)
        else:
            self._next_poll_at = time.monotonic() + RETRY_AFTER
            self._report("cold: logs/warm.log says why")

    def _report(self, what: str) -> None:
        """Note the standby's state for `status`, if it has changed."""
        if what != self._reported:
            self._reported = what
            self._supervisor.note(spare=what)
