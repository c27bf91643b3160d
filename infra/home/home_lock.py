"""Locks of a home: one process runs its job, one watches over it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from features.errors import BadInput
from infra.home.paths import Home
from infra.system.pid_lock import holder_of, is_held, pid_lock

WAIT: Final = 1.0
"""Seconds to wait for a lock: whoever only wants to know whether it is held takes it for a moment."""


@contextmanager
def home_lock(home: Home) -> Iterator[None]:
    """Hold the lock of whoever runs a home's job: `up`, or the role `job`. Raises BadInput naming the process that holds it."""
    with _held(home, home.run / "lock", "a home in which no up or job runs", "runs"):
        yield


@contextmanager
def watch_lock(home: Home) -> Iterator[None]:
    """Hold the lock of whoever watches over a home: `up`, or the role `watch`. Raises BadInput naming the process that holds
    it."""
    with _held(home, home.run / "watch.lock", "a home in which no up or watch runs", "watches over"):
        yield


def is_run(home: Home) -> bool:
    """Returns whether the home's job has a keeper: a process that holds the lock, on this machine or in another container that
    has the home's folder."""
    return is_held(home.run / "lock")


def keeper_of(home: Home) -> psutil.Process | None:
    """Returns the process on this machine that keeps the home's job, or is about to; None if none does here."""
    return holder_of(home.run / "lock")


def is_watched(home: Home) -> bool:
    """Returns whether a process watches over the home."""
    return is_held(home.run / "watch.lock")


@contextmanager
def _held(home: Home, path: Path, expected: str, does: str) -> Iterator[None]:
    def refusal(pid: str) -> BadInput:
        return BadInput("--home", expected, f"{home.path}, which process {pid} {does}")

    with pid_lock(path, WAIT, refusal):
        yield
