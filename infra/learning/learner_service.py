"""The learner as a service, which runs while `serving.json` has `learn`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from features.errors import Unavailable
from infra.home.paths import Home
from infra.judging.judge_service import SERVING, Absence
from infra.learning.learner_files import remove_lists
from infra.services.environment import python_env
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from infra.system.pid_lock import pid_lock
from online.ranking.policy import NO_SERVING, Serving, read_serving
from online.support.reloadable_file import ReloadableFile

NAME: Final = "learner"
NICE: Final = 19
LOCK_S: Final = 7_200.0
"""A process waits so long for another one's cycle, which takes minutes, or an hour where everything is made anew."""
GRACE_S: Final = 20.0


def serving_of(home: Home) -> ReloadableFile[Serving]:
    """The home's `serving.json`, read."""
    file = ReloadableFile(str(home.path / SERVING), read_serving, NO_SERVING)
    file.refresh()
    return file


@contextmanager
def learner_lock(home: Home, print_line: Callable[[str], None], timeout: float = LOCK_S) -> Iterator[None]:
    """Hold the lock of the home's learner, since one process at a time may change what it has learned; whoever waits prints for
    whom. Raises Unavailable after `timeout` seconds."""

    def holder(pid: str) -> str:
        return f"process {pid}, which learns for {home.path}"

    def refusal(pid: str) -> Unavailable:
        return Unavailable(f"waited {timeout:.0f} s for {holder(pid)}")

    with pid_lock(home.run / "learner.lock", timeout, refusal, lambda pid: print_line(f"waits for {holder(pid)}")):
        yield


class Learners:
    """Starts and stops the learner as `serving.json` says, at each poll."""

    def __init__(self, home: Home, supervisor: Supervisor) -> None:
        self._home, self._supervisor = home, supervisor
        self._serving = serving_of(home)
        self._absence = Absence()

    def poll(self) -> None:
        """Do what the file says; the learner ends once `learn` is off."""
        self._serving.refresh()
        learning, error = self._serving.value.learning, self._serving.error
        is_off = self._absence.has_lasted(learning, error)
        if learning is not None:
            if not self._supervisor.runs(NAME):
                self._supervisor.begin(self._service())
        elif is_off:
            if self._supervisor.runs(NAME):
                self._supervisor.end(NAME)
            remove_lists(self._home)

    def _service(self) -> Service:
        argv = (sys.executable, "-m", "infra.learning", "--home", self._home.path)
        return Service(NAME, argv, lambda: None, env=python_env(), cwd=self._home.path, grace=GRACE_S)
