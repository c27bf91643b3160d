"""Processes that stand still, as one that hangs or that a network has cut off."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil

from features.errors import Unavailable

TIMEOUT: Final = 10.0
"""Seconds that a process may take to stand still."""


def suspend(pid: int) -> None:
    """Stop a process; once this returns it runs no more. (A signal alone is obeyed later: where the cores are full a process has
    answered for 20 ms after it.) Raises Unavailable where it runs on."""
    os.kill(pid, signal.SIGSTOP)
    process, deadline = psutil.Process(pid), time.monotonic() + TIMEOUT
    while process.status() != psutil.STATUS_STOPPED:
        if time.monotonic() > deadline:
            raise Unavailable(f"process {pid} was stopped and runs on after {TIMEOUT:.0f} s")
        time.sleep(0.001)


def resume(pid: int) -> None:
    """Let a stopped process go on."""
    os.kill(pid, signal.SIGCONT)


@contextmanager
def suspended(*pids: int) -> Iterator[None]:
    """Processes stand still while the context lasts, and go on afterwards whatever happens."""
    try:
        for pid in pids:
            suspend(pid)
        yield
    finally:
        for pid in pids:
            resume(pid)
