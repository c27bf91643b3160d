"""Signals that tell a process to stop: noted, or an end to whatever it is doing."""

import faulthandler
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def outlives_terminal() -> bool:
    """Whether this process was started to outlive its terminal, as by nohup: it is to pay no heed to SIGHUP."""
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@contextmanager
def interrupted_by(*numbers: signal.Signals) -> Iterator[None]:
    """Have signals do in the main thread what Ctrl-C does, for as long as the context lasts, where they would end the process:
    not those that are ignored or taken otherwise. In another thread nothing changes."""
    is_main = threading.current_thread() is threading.main_thread()
    taken = [number for number in numbers if is_main and signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


class StopSignal:
    """Set by SIGTERM, SIGINT or SIGHUP (unless that was ignored) once `install` was called. The first one raises
    KeyboardInterrupt in the main thread, which breaks off what that is doing, unless `defer` was called before.

    The system may give a signal to any thread, and Python's handler waits for the main one, which a lock does not wake: it
    waits for a pipe that is written wherever the signal arrives. SIGQUIT prints where each thread is, to standard error."""

    def __init__(self) -> None:
        self._is_set = False
        self._deferred = False
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)

    def install(self) -> None:
        """Take the signals from now on; call it in the main thread, once in a process."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in _NUMBERS:
            if number != signal.SIGHUP or not outlives_terminal():
                signal.signal(number, self._on_signal)
        if sys.stderr is not None:  # it was not closed before the start
            faulthandler.register(signal.SIGQUIT)

    def defer(self) -> None:
        """From now on a signal is noted alone: the main thread calls `wait`."""
        self._deferred = True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in the main thread for a signal, at most `timeout` seconds; returns whether there was one."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._is_set:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._read], [], [], left)[0]:
                break
            self._is_set = any(number in _NUMBERS for number in os.read(self._read, 64))
        return self._is_set

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_set:
            return
        self._is_set = True
        if not self._deferred:
            raise KeyboardInterrupt
