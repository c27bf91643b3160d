"""The features of an item as `features.fold.state.encode_features` gives them, compiled: all but the id, which may be text."""

from typing import Final

from features.arrays import AnyArray, IntArray
from features.fold.state import DAYS
from features.kernel.items.item_feature_rows import ITEM
from features.kernel.msgpack_bytes import MAX_BYTES, put_array_header, put_int, put_ints
from features.recall.compiled import compiled

MAX_ITEM_BYTES: Final = (ITEM.itemsize // 8 + 3 + DAYS) * MAX_BYTES
"""Of one item: each number once at most, and the headers of arrays."""


@compiled
def put_items(items: AnyArray, rows: IntArray, data: AnyArray, ends: IntArray) -> None:
    """Write all fields from the second on of some rows, one behind the other; `ends` is filled with where each ends."""
    at = 0
    for which in range(len(rows)):
        item = items[rows[which]]
        at = put_int(data, at, item.n)
        at = put_int(data, at, item.first_ts)
        at = put_int(data, at, item.last_ts)
        at = put_ints(data, at, item.counts, item.kinds_counted)
        at = put_int(data, at, item.rating_sum)
        at = put_int(data, at, item.rating_sq)
        at = put_int(data, at, item.positives)
        at = put_int(data, at, item.negatives)
        at = put_array_header(data, at, item.day_count)
        for day in range(item.day_count):
            at = put_ints(data, at, item.days[day], 5)
        ends[which] = at
