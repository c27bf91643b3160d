"""Folders that one process has for itself: for temporary files of those that we start, and for what is made anew."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from features.errors import Unavailable
from infra.system.pid_lock import pid_lock

_PREFIX: Final = ".tmp-"
_TRIES: Final = 100
"""Folders that are made, at most, where others that begin at once remove them."""


@contextmanager
def used_alone(folder: Path, lock: Path) -> Iterator[None]:
    """Have a folder, which is made anew, for this process alone. Raises Unavailable where another one works in it."""

    def refusal(pid: str) -> Unavailable:
        return Unavailable(f"{folder}: process {pid} works in it; try again when that has ended")

    with pid_lock(lock, 0.0, refusal):
        yield


@contextmanager
def scratch_folder(below: Path) -> Iterator[Path]:
    """A folder in `below` that is removed at the end; those of processes that were killed before are removed at the beginning. A
    lock says that one is in use, as a pid means nothing in another container with the same home. Raises Unavailable where others
    remove each that is made, before it is locked."""
    for left in below.glob(f"{_PREFIX}*"):
        _remove_unused(left)
    for _ in range(_TRIES):
        with TemporaryDirectory(prefix=_PREFIX, dir=below, ignore_cleanup_errors=True) as folder:
            if (lock := _locked(Path(folder))) is not None:
                try:
                    yield Path(folder)
                finally:
                    os.close(lock)
                return
    raise Unavailable(f"no folder for temporary files in {below}: others have removed {_TRIES} as they were made")


def _locked(folder: Path) -> int | None:
    """The lock of a folder that was just made; None where somebody has removed it before it was locked, or is about to."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists():
            return lock
    except BlockingIOError:
        pass
    os.close(lock)
    return None


def _remove_unused(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:  # its process has just removed it
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
