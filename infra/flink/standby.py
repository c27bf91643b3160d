"""Keeps the spare TaskManager warm, so that tasks which move there need not wait for Python's imports (see streaming.warm_up)."""

import subprocess
import sys
import time
from collections.abc import Mapping

from infra.flink.client import FlinkClient
from infra.home.paths import Home
from infra.home.timings import read_timings
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from infra.system.processes import ProcessId, lower_priority, spawn, stop
from infra.system.repository import REPO

LOOK_EVERY = 2.0
WARM_WITHIN = 120.0
AGAIN_AFTER = 30.0
WARM = "warm"
POLITE = 10
"""Niceness of the client that submits: nobody waits for it."""


class Spare:
    """The spare TaskManager of a cluster, whichever of them it is at the moment."""

    def __init__(
        self, home: Home, flink: FlinkClient, env: Mapping[str, str], supervisor: Supervisor, service: Service
    ) -> None:
        """`service` is the first one, not started yet."""
        self._home = home
        self._calm = read_timings(home).spare_calm
        self._first: Service | None = service
        self._flink = flink
        self._env = env
        self._supervisor = supervisor
        self._warm: set[str] = set()
        self._client: subprocess.Popen[bytes] | None = None
        self._target = self._told = ""
        self._deadline = 0.0
        self._look_at = 0.0
        self._calm_since: float | None = None

    def look(self) -> None:
        """To be called again and again: when it is calm, starts the first one, and warms one that is cold. Raises Unavailable."""
        if self._client is not None:
            self._await(self._client)
        elif time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY
            target = self._cold()
            if not self._is_calm():
                return
            if self._first is not None:
                self._supervisor.begin(self._first)
                self._first = None
            elif target is not None:
                self._begin(target)

    def give_up_first(self) -> None:
        """All TaskManagers are about to be started anew, the spare one with them."""
        self._first = None

    def stop(self) -> None:
        """End a client that is still under way."""
        if self._client is not None and (process := ProcessId.of(self._client.pid)) is not None:
            stop(process, 2.0)
        self._client = None

    def _cold(self) -> str | None:
        """The address of the one free TaskManager, if it is cold; with two free the job that warms could go to either."""
        managers = self._flink.task_managers()
        free = [each["path"] for each in managers if each["freeSlots"]]
        working = {each["path"] for each in managers if not each["freeSlots"]}
        self._warm = self._warm & {*free, *working} | working
        if len(free) != 1:
            self._tell(f"{len(free)} TaskManagers are free")
            return None
        address: str = free[0]
        if address in self._warm:
            self._tell(WARM)
            return None
        self._tell("cold")
        return address

    def _is_calm(self) -> bool:
        if not any(job["tasks"]["running"] == job["tasks"]["total"] for job in self._flink.jobs()):
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = time.monotonic()
        return self._calm_since is not None and time.monotonic() - self._calm_since > self._calm

    def _begin(self, target: str) -> None:
        argv = [sys.executable, "-m", "streaming.warm_up"]
        self._client = spawn(argv, self._home.logs / "warm.log", self._env, REPO)
        lower_priority(self._client.pid, POLITE)
        self._target, self._deadline = target, time.monotonic() + WARM_WITHIN
        self._tell("warming")

    def _await(self, client: subprocess.Popen[bytes]) -> None:
        code = client.poll()
        if code is None and time.monotonic() < self._deadline:
            return
        self.stop()
        if code == 0:
            self._warm.add(self._target)
            self._tell(WARM)
        else:
            self._look_at = time.monotonic() + AGAIN_AFTER
            self._tell("cold: logs/warm.log says why")

    def _tell(self, what: str) -> None:
        """For `status`."""
        if what != self._told:
            self._told = what
            self._supervisor.note(spare=what)
