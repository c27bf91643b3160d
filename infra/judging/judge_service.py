"""The judge as a service, which runs while `serving.json` has `judge`."""

import sys
from collections.abc import Callable, Sequence
from typing import Final

from infra.home.paths import Home
from infra.judging.judge import begin, release
from infra.services.environment import python_env
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from online.ranking.policy import NO_SERVING, read_serving
from online.support.reloadable_file import ReloadableFile

NAME: Final = "judge"
NICE: Final = 15
STATE: Final = "judge.json"
"""In the home: what the judge has counted, and how far it has read."""
SERVING: Final = "serving.json"
POLLS_TO_RELEASE: Final = 3
"""Polls in a row that find nothing to do until it is off."""


class Absence:
    """Finds out whether the file has a setting no more: an editor may take the file away for a moment, and one that can't be read
    says nothing."""

    def __init__(self) -> None:
        self._polls = 0

    def has_lasted(self, setting: object | None, error: str | None) -> bool:
        """Count a poll, which has found a setting, None or an error; whether the setting is off from this one on."""
        self._polls = 0 if setting is not None or error else self._polls + 1
        return self._polls == POLLS_TO_RELEASE


def is_judged(home: Home) -> bool:
    """Whether the home's versions are judged."""
    serving = ReloadableFile(str(home.path / SERVING), read_serving, NO_SERVING)
    serving.refresh()
    return serving.value.judging is not None


class Judges:
    """Starts and stops the judge as `serving.json` says, at each poll. addresses: of the API's processes, as of now."""

    def __init__(self, home: Home, addresses: Callable[[], Sequence[str]], supervisor: Supervisor) -> None:
        self._home, self._addresses, self._supervisor = home, addresses, supervisor
        self._serving = ReloadableFile(str(home.path / SERVING), read_serving, NO_SERVING)
        self._absence = Absence()

    def poll(self) -> None:
        """Do what the file says; labels go once judging is off."""
        self._serving.refresh()
        runs = self._supervisor.runs(NAME)
        judging, error = self._serving.value.judging, self._serving.error
        is_off = self._absence.has_lasted(judging, error)
        if judging is not None:
            begin(self._home.path / STATE)
            if not runs and self._addresses():
                self._supervisor.begin(self._service())
        elif is_off:
            if runs:
                self._supervisor.end(NAME)
            release(self._home.models, self._home.path / STATE)

    def _service(self) -> Service:
        argv = (
            sys.executable, "-m", "infra.judging", "--home", self._home.path,
            "--api", self._addresses()[0],
        )  # fmt: skip
        return Service(NAME, argv, lambda: None, env=python_env(), cwd=self._home.path, grace=5.0)
