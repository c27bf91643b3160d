"""Folders for temporary files of processes that we start."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_PREFIX: Final = ".tmp-"


@contextmanager
def scratch_folder(below: Path) -> Iterator[Path]:
    """A folder in `below` that is removed at the end; those of processes that were killed before are removed at the beginning. A
    lock says that one is in use, as a pid means nothing in another container with the same home."""
    with _locked(below), ExitStack() as made:
        for left in below.glob(f"{_PREFIX}*"):
            _remove_unused(left)
        folder = TemporaryDirectory(prefix=_PREFIX, dir=below, ignore_cleanup_errors=True)
        made.callback(folder.cleanup)
        lock = os.open(folder.name, os.O_RDONLY)
        made.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        in_use = made.pop_all()
    with in_use:
        yield Path(folder.name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Nobody else removes what is not locked yet, as long as this lasts: what one makes is locked a moment later."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


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
