"""Signals that tell a process to stop: noted, and while it starts an end to whatever it is doing."""

import signal
import threading
from types import FrameType


class StopSignal:
    """Set by SIGTERM, SIGINT or SIGHUP once `install` was called. The first one raises KeyboardInterrupt in the main thread,
    which breaks off what that is doing, unless `defer` was called before."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._deferred = False

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def defer(self) -> None:
        """From now on a signal is noted alone: the main thread calls `wait`."""
        self._deferred = True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a signal, at most `timeout` seconds; returns whether there was one."""
        return self._event.wait(timeout)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._event.is_set():
            return
        self._event.set()
        if threading.current_thread() is threading.main_thread() and not self._deferred:
            raise KeyboardInterrupt
