"""Many channels → one candidate list, each with a quota, and what each candidate was found by."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.inputs import Floats, Ints
from online.recall.channel import Query, Recall

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidates:
    """
    rows      [n] of the item store, without repeats, in the order in which the channels gave them
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
    """Ask every channel for its share of `limit`; the last one fills what is left. A channel that fails is skipped."""
    found: dict[int, int] = {}
    failed: list[str] = []
    for at, channel in enumerate(channels):
        quota = limit if at == len(channels) - 1 else max(1, limit // len(channels))
        try:
            rows = channel.recall(query, quota)
        except Exception:
            logger.exception("recall channel %s failed", channel.name)
            failed.append(channel.name)
            continue
        for row in rows.tolist():
            if row in found:
                found[row] |= 1 << at
            elif len(found) < limit:
                found[row] = 1 << at
    return Candidates(
        np.fromiter(found, np.int64, len(found)),
        np.fromiter(found.values(), np.int64, len(found)),
        tuple(channel.name for channel in channels),
        tuple(failed),
    )
