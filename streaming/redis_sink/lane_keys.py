"""Which keys of a lane have writes that Redis has not acknowledged, and which were acknowledged lately: a server that takes the
place of another may lack these.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Protocol

from features.types import Millis
from streaming.time_source import TimeSource

RETAINED_MS: Final = 30_000
"""How long a lane remembers which keys were acknowledged; a failover takes a few seconds to be noticed …"""
RETAINED_KEYS: Final = 20_000
"""… and how many of them, 250 bytes each."""


class Unsent(Protocol):
    """The writer, as far as a lane needs it."""

    def unsent(self, keys: set[str]) -> set[str]: ...


class LaneKeys:
    """The keys of a lane.

    unsent    whose last write is not acknowledged, as it was when `put` was called last
    repeated  id of the request that has been carried out
    """

    def __init__(self, unsent: Iterable[str], time_source: TimeSource) -> None:
        self.unsent = set(unsent)
        self.repeated = ""
        self._time = time_source
        self._acknowledged: OrderedDict[str, Millis] = OrderedDict()
        """By key, the oldest first: when it was found to be acknowledged, which is no earlier than it was. A plain dict would
        look for its first key behind all that were deleted before it."""
        self._complete_since: Millis = 0

    def put(self, writer: Unsent, keys: Iterable[str]) -> None:
        """Note that these keys are going to be put into the writer, or are left to be."""
        before, self.unsent = self.unsent, writer.unsent(self.unsent).union(keys)
        now = self._time.wall_ms()
        for key in before - self.unsent:
            self._acknowledged[key] = now
            self._acknowledged.move_to_end(key)
        self._drop(now - RETAINED_MS)

    def _drop(self, until: Millis) -> None:
        while self._acknowledged:
            key, at = next(iter(self._acknowledged.items()))
            if at >= until and len(self._acknowledged) <= RETAINED_KEYS:
                return
            del self._acknowledged[key]
            self._complete_since = max(self._complete_since, at + 1)

    def written_since(self, since: Millis) -> set[str] | None:
        """Returns the keys that this process has written and that have been acknowledged since that wall time, or may have been;
        None if that is longer ago than the lane remembers."""
        if since < self._complete_since:
            return None
        return self.unsent.union(key for key, at in self._acknowledged.items() if at >= since)
