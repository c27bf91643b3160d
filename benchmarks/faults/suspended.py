"""Processes that stand still, as one that hangs or that a network has cut off."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psutil

from features.errors import Unavailable

TIMEOUT: Final = 10.0
"""Seconds that a process may take to stand still."""


def suspend(pid: int) -> None:
    """Stop a process; once this returns it runs no more. (A signal alone is obeyed later: where the cores are full a process has
    answered for 20 ms after it.) Raises Unavailable where it runs on."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + TIMEOUT
    while not _stands_still(pid):
        if time.monotonic() > deadline:
            raise Unavailable(f"process {pid} was stopped and runs on after {TIMEOUT:.0f} s")
        time.sleep(0.001)


def resume(pid: int) -> None:
    """Let a stopped process go on."""
    os.kill(pid, signal.SIGCONT)


@contextmanager
def suspended(*pids: int) -> Iterator[None]:
    """Processes stand still while the context lasts, and go on afterwards whatever happens."""
    with ExitStack() as stack:
        for pid in pids:
            stack.callback(resume, pid)
            suspend(pid)
        yield


def _stands_still(pid: int) -> bool:
    """Returns whether a process is stopped: all its threads, where the system tells."""
    threads = Path(f"/proc/{pid}/task")
    if not threads.is_dir():
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return all(_state_of(thread) == "T" for thread in threads.iterdir())


def _state_of(thread: Path) -> str:
    try:
        stat = (thread / "stat").read_text()
    except FileNotFoundError:  # it has ended
        return "T"
    return stat[stat.rindex(")") + 2]
