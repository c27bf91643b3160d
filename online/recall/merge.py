"""Runs the recall channels and merges their results into one candidate list."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from types import MappingProxyType

from features.arrays import IntArray
from features.errors import Unavailable
from features.inputs.signals import candidates
from online.query import NONE, Query
from online.recall.channel import Recall
from online.recall.signal import PINNED

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidates:
    """The merged candidates.

    rows      [n] of the item store, without repeats, by the best rank that a channel gave them; pinned ones first
    found_by  [n] which channels found each: bit k for the channel names[k]
    names     of the channels that ran
    failed    names of the channels that failed …
    left_out  … and of those that were not run, since recall had taken all its time
    """

    rows: IntArray
    found_by: IntArray
    names: tuple[str, ...]
    failed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def channels(self, found_by: int) -> tuple[str, ...]:
        """Names of the channels that found a candidate, by what stands of it in `found_by`."""
        return _names_of(self.names, found_by)


@lru_cache(4096)
def _names_of(names: tuple[str, ...], found_by: int) -> tuple[str, ...]:
    return tuple(name for bit, name in enumerate(names) if found_by >> bit & 1)


class ChannelRunner:
    """One recall run: runs channels in groups, remote ones last.

    seconds  of this thread's processor that the run may take. Wall time would leave channels out whenever the machine ran
             something else meanwhile, though running them then costs no more than ever
    clock    of the processor, in seconds: it is dear, so a channel asks it only once `wall` says that the time may be over
    """

    def __init__(
        self,
        query: Query,
        limit: int,
        quotas: Mapping[str, int],
        seconds: float = inf,
        clock: Callable[[], float] = time.thread_time,
        wall: Callable[[], float] = time.monotonic,
    ) -> None:
        self._query, self._limit, self._quotas = query, limit, quotas
        self._left, self._clock, self._wall = seconds, clock, wall
        self._orders = query.orders
        self._failed: list[str] = []
        self._left_out: list[str] = []

    def run(self, channels: Sequence[Recall]) -> None:
        """Run channels one after the other. A channel that fails is skipped; once the time is used up so are all others, if any
        candidate was found. A channel with quota 0 runs too, since rankers read its signal."""
        began, wall = self._clock(), self._wall()
        for channel in channels:
            order = NONE
            if self._is_over(began, wall) and any(map(len, self._orders.values())):
                self._left_out.append(channel.name)
            else:
                try:
                    order = channel.recall(self._query, self._limit)[
                        : self._quotas.get(channel.name, channel.default_limit)
                    ]
                except Unavailable as error:
                    logger.debug(
                        "recall channel %s: %s", channel.name, error
                    )  # reported in `degraded`, which is counted
                    self._failed.append(channel.name)
                except Exception:
                    logger.exception("recall channel %s failed", channel.name)
                    self._failed.append(channel.name)
            self._orders[channel.name] = order
        self._left -= self._clock() - began

    def _is_over(self, began: float, wall: float) -> bool:
        """Whether the time is used up, of a run that began then by both clocks. The processor's is a call of the kernel, which
        costs more than some channels do: it is asked once as much wall time is over."""
        return self._wall() - wall > self._left and self._clock() - began > self._left

    def merged(self) -> Candidates:
        """The `limit` best-ranked of all rows found, what is pinned before all others."""
        first = int(next(iter(self._orders), None) == PINNED)
        rows, found_by = candidates(self._orders, self._limit, first)
        return Candidates(rows, found_by, tuple(self._orders), tuple(self._failed), tuple(self._left_out))


def merge(
    channels: Sequence[Recall], query: Query, limit: int, quotas: Mapping[str, int] = MappingProxyType({})
) -> Candidates:
    """Run every channel and merge: the `limit` best-ranked rows, from each channel at most its quota."""
    runner = ChannelRunner(query, limit, quotas)
    runner.run(channels)
    return runner.merged()
