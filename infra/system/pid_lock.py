"""A lock whose file names the process that holds it. The kernel frees it when that process ends, however it ends."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from features.errors import MartletError


@contextmanager
def pid_lock(
    path: Path,
    timeout: float,
    refusal: Callable[[str], MartletError],
    on_wait: Callable[[str], object] | None = None,
    purpose: str = "",
) -> Iterator[None]:
    """Hold a lock, in whose file this process is named then, and what it holds it for, if that is given. on_wait: called once,
    with the pid (and after a blank the purpose) of whoever holds it, if that takes time. Raises what `refusal` makes of that
    after `timeout` seconds."""
    with path.open("a+") as file:
        deadline, waits = time.monotonic() + timeout, False
        while not _taken(file):
            file.seek(0)
            holder = file.read().strip()
            if time.monotonic() > deadline:
                raise refusal(holder)
            if on_wait is not None and not waits:
                on_wait(holder)
            waits = True
            time.sleep(0.1)
        file.truncate(0)
        file.write(f"{os.getpid()} {purpose}".rstrip())
        file.flush()
        yield


def is_held(path: Path) -> bool:
    """Returns whether a process holds a lock, on this machine or where else its file is."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def holder_of(path: Path) -> psutil.Process | None:
    """Returns the process that holds a lock; None if none does, or one of another machine or container. The pid in the file may
    be of there, or of a holder that is dead, and belong to somebody else here, who does not have the file open."""
    if not is_held(path):
        return None
    try:
        process = psutil.Process(int(path.read_text().split()[0]))
        return process if str(path.resolve()) in {each.path for each in process.open_files()} else None
    except (psutil.Error, OSError, ValueError, IndexError):
        return None


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
