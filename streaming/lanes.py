"""The keys of the job's keyed state: one *lane* for each partition number, for users and for items.

State is keyed by lane, not by user, so that a batch of records costs one crossing from Java to Python, and its states one
more. Users come by the partition of the log they lie in, items by a hash of their id.
"""

from typing import Final

from features.keys import PARTITIONS

LABELS: Final = (19, 4, 0, 14, 22, 8, 2, 6)
"""What Flink is given as the key of lane 0 … 7: numbers whose hash spreads the lanes evenly over 1, 2, 4 or 8 subtasks
(`tests/streaming/test_lanes.py` asks Flink itself). They are written into savepoints: they never change."""
MAX_PARALLELISM: Final = 128
"""Flink's number of key groups, for which the labels were chosen; as fixed as they are."""

LANE_OF: Final = {label: lane for lane, label in enumerate(LABELS)}
assert len(LANE_OF) == PARTITIONS


def lane_of_item(item_id: int) -> int:
    """The lane of an item: Fibonacci hashing (Knuth), so that ids with a stride spread too."""
    return (item_id * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 61
