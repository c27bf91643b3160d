"""The home's clock: what time it is in the data.

Without a data set it is wall time. With one it is the end of its history plus the time elapsed since, moved on by the marks of
replays; so a click in today's browser on 1998's ratings happens just after the last of them. No single event moves it.
"""

import time
from collections.abc import Callable

from features.types import Millis


def wall_ms() -> Millis:
    return time.time_ns() // 1_000_000


class HomeClock:
    """Reads wall time through `wall`, so that tests can set it."""

    def __init__(
        self, cut: Millis, cut_since: Millis | None, horizon: Millis, wall: Callable[[], Millis] = wall_ms
    ) -> None:
        self._cut = cut
        self._since = cut_since
        self._horizon = horizon
        self._marked: Millis | None = None
        self.wall = wall

    def observe(self, offset: Millis) -> None:
        """Record a replay's mark: the data's time was so far ahead of wall time (ms, mostly below 0). The largest counts."""
        self._marked = offset if self._marked is None else max(self._marked, offset)

    def now(self) -> Millis:
        """The current time in the data, ms."""
        if self._since is None:
            return self.wall()
        wall = self.wall()
        elapsed = self._cut + max(0, wall - self._since)
        return elapsed if self._marked is None else max(elapsed, wall + self._marked)

    def limit(self) -> Millis:
        """The clock that the day-ahead rule is measured from; never later than the job's (streaming.settings)."""
        if self._since is None:
            return self.wall()
        return min(self.now(), max(self._horizon, self._cut) + max(0, self.wall() - self._since))
