"""The home's clock as the log's rule "a day ahead" knows it: fixed by the home's record and a record's broker time alone."""

from typing import NamedTuple

from features.types import Millis


class Clock(NamedTuple):
    """
    horizon  an event time, ms: the end of the whole data set
    since    the wall time, ms, at which the clock stood there; None: the clock is wall time
    """

    horizon: Millis
    since: Millis | None

    def at(self, wall: Millis) -> Millis:
        """The clock (ms) when the broker took a record at `wall` (ms)."""
        return wall if self.since is None else self.horizon + max(0, wall - self.since)
