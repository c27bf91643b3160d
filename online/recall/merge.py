"""Many channels → one candidate list, and what each candidate was found by."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from types import MappingProxyType

import numpy as np

from features.arrays import FloatArray, IntArray
from features.errors import Unavailable
from features.inputs.signals import candidates
from online.query import NONE, Query
from online.recall.channel import Recall

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidates:
    """
    rows      [n] of the item store, without repeats, by the best place that a channel gave them
    found_by  [n] what found each: bit k for the channel names[k]
    names     of the channels that were asked
    failed    names of those that raised
    """

    rows: IntArray
    found_by: IntArray
    names: tuple[str, ...]
    failed: tuple[str, ...] = ()

    def channels(self, index: int) -> tuple[str, ...]:
        """Names of the channels that found the candidate at a place."""
        mask = int(self.found_by[index])
        return tuple(name for bit, name in enumerate(self.names) if mask >> bit & 1)

    def votes(self) -> FloatArray:
        """[n] how many channels found each candidate."""
        return np.asarray(sum((self.found_by >> bit & 1) for bit in range(len(self.names))), np.float32)


class ChannelRunner:
    """Channels being asked, in parts: what must be waited for comes last. Times are of `time.monotonic`."""

    def __init__(self, query: Query, limit: int, quotas: Mapping[str, int], until: float = inf) -> None:
        self._query, self._limit, self._quotas, self._until = query, limit, quotas, until
        self._orders = query.orders
        self._failed: list[str] = []

    def run(self, channels: Sequence[Recall]) -> None:
        """One after the other. One that fails is skipped; so is what is left when the time is over, once anything was found. One
        with a quota of 0 is asked too, as rankers read what it says."""
        for channel in channels:
            order = NONE
            if time.monotonic() > self._until and any(map(len, self._orders.values())):
                self._failed.append(channel.name)
            else:
                try:
                    order = channel.recall(self._query, self._limit)[
                        : self._quotas.get(channel.name, channel.default_limit)
                    ]
                except Unavailable as error:
                    logger.debug("recall channel %s: %s", channel.name, error)  # `degraded` tells, and is counted
                    self._failed.append(channel.name)
                except Exception:
                    logger.exception("recall channel %s failed", channel.name)
                    self._failed.append(channel.name)
            self._orders[channel.name] = order

    def merged(self) -> Candidates:
        """Of all that they gave the `limit` with the best places."""
        rows, found_by = candidates(self._orders, self._limit)
        return Candidates(rows, found_by, tuple(self._orders), tuple(self._failed))


def merge(
    channels: Sequence[Recall], query: Query, limit: int, quotas: Mapping[str, int] = MappingProxyType({})
) -> Candidates:
    """Ask every channel; of all that they give the `limit` with the best places, from each at most its quota."""
    runner = ChannelRunner(query, limit, quotas)
    runner.run(channels)
    return runner.merged()
