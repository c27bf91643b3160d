"""The keys of the job's keyed state: one *lane* for each partition number, for users and for items.

State is keyed by lane, not by user, so that a batch of records costs one crossing from Java to Python, and its states one
more. A user's lane is the partition of its records in the log, an item's lane a hash of its id. To Flink a lane is its *label*, a
number chosen so that Flink's hash of it spreads the lanes evenly over the subtasks.
"""

from itertools import count
from typing import Final

import numpy as np

from features.arrays import IntArray

MAX_PARALLELISM: Final = 128
"""Flink's number of key groups, for which labels are chosen. It is stored in savepoints, so it never changes."""
_FACTOR: Final = 0x9E3779B97F4A7C15


class Lanes:
    """The lanes of a home of so many partitions.

    labels   of lanes 0 … n − 1. They are stored in savepoints, so those of a number of lanes never change
    lane_of  label → lane
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self.labels = labels_of(number)
        self.lane_of = {label: lane for lane, label in enumerate(self.labels)}

    def __len__(self) -> int:
        return self._number

    def of_item(self, item_id: int) -> int:
        """Returns the lane of an item, by Fibonacci hashing (Knuth), which also spreads ids with a stride."""
        return ((item_id * _FACTOR & 0xFFFFFFFFFFFFFFFF) >> 32) * self._number >> 32

    def of_items(self, item_ids: IntArray) -> IntArray:
        """Returns the lane of each item."""
        hashes = item_ids.astype(np.uint64) * np.uint64(_FACTOR) >> np.uint64(32)
        return (hashes * np.uint64(self._number) >> np.uint64(32)).astype(np.int64)


def labels_of(lanes: int) -> tuple[int, ...]:
    """Returns Flink's keys of so many lanes.

    The key groups are divided into slices, as many as the largest power of two that is not more than the lanes, or the groups; a
    lane's label is the smallest number, not taken yet, that Flink's hash puts into the lane's slice. So over a power of two of
    subtasks, as far as there are slices, the lanes are spread evenly; over another number nearly so, with many lanes a subtask.

    >>> labels_of(8)
    (19, 4, 0, 14, 22, 8, 2, 6)
    """
    slices = 1 << min(lanes, MAX_PARALLELISM).bit_length() - 1
    waiting: dict[int, list[int]] = {}
    for lane in range(lanes):
        waiting.setdefault(lane * slices // lanes, []).append(lane)
    labels = [0] * lanes
    for label in count():
        group_slice = key_group_of(label) * slices // MAX_PARALLELISM
        if group_slice in waiting:
            labels[waiting[group_slice].pop(0)] = label
            if not waiting[group_slice]:
                del waiting[group_slice]
        if not waiting:
            break
    return tuple(labels)


def key_group_of(label: int) -> int:
    """Returns Flink's key group of a label: MurmurHash3, of 32 bits, of the hash that Java gives a row of one number."""
    code = _rotated(((label + 62) * 0xCC9E2D51) & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF
    code = (_rotated(code, 13) * 5 + 0xE6546B64) & 0xFFFFFFFF ^ 4
    code = (code ^ code >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    code = (code ^ code >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    code ^= code >> 16
    return min(code, 0x100000000 - code) % MAX_PARALLELISM  # Flink takes the absolute value of a signed number


def _rotated(code: int, bits: int) -> int:
    return (code << bits | code >> 32 - bits) & 0xFFFFFFFF
