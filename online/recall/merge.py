"""Many channels → one candidate list, and what each candidate was found by."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.inputs import Floats, Ints
from features.signals import candidates
from online.recall.channel import Query, Recall

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidates:
    """
    rows      [n] of the item store, without repeats, by the best place that a channel gave them
    found_by  [n] what found each: bit k for the channel names[k]
    names     of the channels that were asked
    failed    names of those that raised
    """

    rows: Ints
    found_by: Ints
    names: tuple[str, ...]
    failed: tuple[str, ...] = ()

    def channels(self, place: int) -> tuple[str, ...]:
        """Names of the channels that found the candidate at a place."""
        mask = int(self.found_by[place])
        return tuple(name for bit, name in enumerate(self.names) if mask >> bit & 1)

    def votes(self) -> Floats:
        """[n] how many channels found each candidate."""
        return np.asarray(sum((self.found_by >> bit & 1) for bit in range(len(self.names))), np.float32)


def merge(channels: Sequence[Recall], query: Query, limit: int) -> Candidates:
    """Ask every channel; of all that they give the `limit` with the best places. A channel that fails is skipped."""
    orders: dict[str, Ints] = {}
    failed: list[str] = []
    for channel in channels:
        try:
            orders[channel.name] = channel.recall(query, limit)
        except Exception:
            logger.exception("recall channel %s failed", channel.name)
            failed.append(channel.name)
            orders[channel.name] = np.zeros(0, np.int64)
    rows, found_by = candidates(orders, limit)
    return Candidates(rows, found_by, tuple(orders), tuple(failed))
