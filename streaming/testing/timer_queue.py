"""Timers of an operator as Flink keeps them: the next one is waited for as long as the wall clock said when it was set, and all
that are due by its time fire with it, those that are set meanwhile, too."""

from collections.abc import Callable
from math import inf
from typing import Final

from features.types import Millis
from streaming.testing.manual_time import ManualTime

FIRED_AT_ONCE: Final = 1000
"""More timers than tests have; Flink would fire on, and the task would do nothing else."""


class TimerQueue:
    """The timers of one operator in `timers`, (wall time, key), which are part of its checkpoint.

    due  when the next ones fire, by the monotonic clock; never, without any
    """

    def __init__(self, timers: set[tuple[Millis, int]], time_source: ManualTime) -> None:
        self._timers, self._time = timers, time_source
        self._next: Millis = 0
        self.due = inf
        self._await_next()

    def register(self, at: Millis, key: int) -> None:
        """Set a timer of a key."""
        is_next = not self._timers or at < min(self._timers)[0]
        self._timers.add((at, key))
        if is_next:
            self._await_next()

    def fire(self, fired: Callable[[Millis, int], None]) -> None:
        """Fire what is due by the time of the next timer. Raises AssertionError where that does not end."""
        until, self.due = self._next, inf
        for _ in range(FIRED_AT_ONCE):
            if not self._timers or min(self._timers)[0] > until:
                break
            timer = min(self._timers)
            self._timers.discard(timer)
            fired(*timer)
        else:
            raise AssertionError(f"{FIRED_AT_ONCE} timers fired at once: each sets one that is due already")
        if self.due == inf:
            self._await_next()

    def _await_next(self) -> None:
        if self._timers:
            self._next = min(self._timers)[0]
            self.due = round(self._time.monotonic() + max(0, self._next - self._time.wall_ms()) / 1000, 6)
