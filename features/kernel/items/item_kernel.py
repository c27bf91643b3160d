"""The kernel of items: rows of items, what is folded into them, and their bytes, many items at a time."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np

from features.arrays import AnyArray, BoolArray, IntArray
from features.errors import Broken
from features.fold.state import ItemFeatures, decode_item
from features.ids import OuterId
from features.kernel.bytes_of_rows import AT_ONCE, bytes_of_rows
from features.kernel.item_table import ItemTable, grown
from features.kernel.items.item_bytes import MAX_ITEM_BYTES, put_items
from features.kernel.items.item_feature_rows import ITEM, clicks_of, fold_acts, fold_shown
from features.kernel.users.row_types import Rules
from features.types import ItemId, Millis

_HEADER: Final = bytes([0x90 | len(ItemFeatures.__struct_fields__)])
_encode = msgspec.msgpack.Encoder().encode


class ItemKernel:
    """The rows (`features.kernel.items.item_feature_rows`). `table` says whose they are."""

    def __init__(self, rules: Rules) -> None:
        self.table = ItemTable()
        self._clicks = clicks_of(rules.kinds)
        self._items: AnyArray = np.zeros(self.table.room, ITEM)
        self._outer: list[OuterId] = [0] * self.table.room
        self._data: AnyArray = np.zeros(AT_ONCE * MAX_ITEM_BYTES, np.uint8)

    def add(self, item_id: ItemId, stored: bytes | None, broker_ts: Millis = 0) -> int:
        """A row of an item that has none, whose features are stored, or none yet. Raises Broken where the row has no room for
        them, msgspec.DecodeError where they are none."""
        features = ItemFeatures(item_id) if stored is None else decode_item(stored)
        filled = _row_of(item_id, features)
        row = self.table.add(item_id, broker_ts)
        if row >= len(self._outer):
            self._items = grown(self._items, self.table.room)
            self._outer += [0] * (self.table.room - len(self._outer))
        self._items[row] = filled
        self._outer[row] = features.item_id
        return row

    def fold(self, rows: IntArray, events: IntArray) -> bool:
        """Fold events, [E, 6]: item, ts, kind, value in hundredths, sign, weight. Returns whether any is more than an impression
        of an item that had been shown before."""
        return bool(fold_acts(self._items, self._clicks, rows, events))

    def fold_shown(self, rows: IntArray, shown: IntArray) -> bool:
        """Fold impressions, [S, 4] (`features.types.Impressions`). Returns whether any item had not been shown before."""
        return bool(fold_shown(self._items, rows, shown))

    def rename(self, row: int, outer: OuterId) -> None:
        """Take the id outside that an event has told."""
        self._outer[row] = outer

    def ns(self, rows: IntArray) -> IntArray:
        """The contributions folded into each row."""
        ns: IntArray = self._items["n"][rows]
        return ns

    def act(self, rows: IntArray) -> None:
        """Have rows count as if more than impressions had come."""
        self._items["acted"][rows] = 1

    def take_acted(self, rows: IntArray) -> BoolArray:
        """Of each row, whether more than impressions came since this was last taken."""
        acted: BoolArray = self._items["acted"][rows] != 0
        self._items["acted"][rows] = 0
        return acted

    def states(self, rows: IntArray) -> Iterator[bytes]:
        """The features of each row as stored."""
        written = bytes_of_rows(rows, self._data, lambda *room: put_items(self._items, *room))
        for row, fields in zip(rows.tolist(), written, strict=True):
            yield _HEADER + _encode(self._outer[row]) + fields


def _row_of(item_id: ItemId, features: ItemFeatures) -> AnyArray:
    """Features as a row. Raises Broken where there is more of something than it has room for."""
    row = np.zeros((), ITEM)
    filled: Any = row
    for name, limit in (("counts", ITEM["counts"].shape[0]), ("days", ITEM["days"].shape[0])):
        if (length := len(getattr(features, name))) > limit:
            raise Broken(f"item {item_id}: expected at most {limit} {name}, got {length}")
    if any(len(day) != ITEM["days"].shape[1] for day in features.days):
        raise Broken(f"item {item_id}: expected days of {ITEM['days'].shape[1]} numbers, got {features.days}")
    for name in ("n", "first_ts", "last_ts", "rating_sum", "rating_sq", "positives", "negatives"):
        filled[name] = getattr(features, name)
    filled["kinds_counted"] = len(features.counts)
    filled["counts"][: len(features.counts)] = features.counts
    filled["day_count"] = len(features.days)
    if features.days:
        filled["days"][: len(features.days)] = features.days
    return row
