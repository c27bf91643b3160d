"""Many channels → one candidate list, each with a quota, and what each candidate was found by."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from features.inputs import Ints
from online.recall.channel import Query, Recall

logger = logging.getLogger(__name__)


@dataclass
class Candidates:
    """rows  [n] of the item store, without repeats; channels: row → names of the channels that found it; failed: names
    of channels that raised."""

    rows: Ints
    channels: dict[int, list[str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def merge(channels: Sequence[Recall], query: Query, limit: int) -> Candidates:
    """Ask every channel for its share of `limit`; the last one fills what is left. A channel that fails is skipped."""
    found: dict[int, list[str]] = {}
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
                found[row].append(channel.name)
            elif len(found) < limit:
                found[row] = [channel.name]
    return Candidates(np.fromiter(found, np.int64, len(found)), found, failed)
