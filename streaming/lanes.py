"""The keys of the job's keyed state: one *lane* for each partition number, for users and for items.

State is keyed by lane, not by user, so that a batch of records costs one crossing from Java to Python, and its states one
more. A user's lane is the partition of its records in the log, an item's lane a hash of its id.
"""

from typing import Final

from features.keys import PARTITIONS

LABELS: Final = (19, 4, 0, 14, 22, 8, 2, 6)
"""Flink's keys of lanes 0 … 7: numbers whose hashes spread the lanes evenly over 1, 2, 4 or 8 subtasks
(`tests/streaming/test_lanes.py` checks with Flink itself). They are stored in savepoints, so they never change."""
MAX_PARALLELISM: Final = 128
"""Flink's number of key groups, for which the labels were chosen; it never changes either."""

LANE_OF: Final = {label: lane for lane, label in enumerate(LABELS)}
assert len(LANE_OF) == PARTITIONS


def lane_of_item(item_id: int) -> int:
    """Returns the lane of an item, by Fibonacci hashing (Knuth), which also spreads ids with a stride."""
    return (item_id * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 61
