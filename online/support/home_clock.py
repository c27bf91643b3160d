"""The home's clock: what time it is in the data.

Without a data set it is wall time. With one it is the end of its history plus the time elapsed since, and never behind the
newest event folded; so a click in today's browser on 1998's ratings happens just after the last of them.
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
        self._newest: Millis = 0
        self.wall = wall

    def observe(self, ts: Millis) -> None:
        """Record that an event of this time (ms) has been folded: the clock is never behind it."""
        self._newest = max(self._newest, ts)

    def now(self) -> Millis:
        """The current time in the data, ms."""
        if self._since is None:
            return self.wall()
        return max(self._cut + max(0, self.wall() - self._since), self._newest)

    def limit(self) -> Millis:
        """The clock that the day-ahead rule is measured from; never later than the job's (streaming.settings)."""
        if self._since is None:
            return self.wall()
        return min(self.now(), max(self._horizon, self._cut) + max(0, self.wall() - self._since))
