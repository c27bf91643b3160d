"""The kernel of co-visits: rows of items, what is folded into them, and their bytes, many items at a time."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from features.arrays import AnyArray, IntArray
from features.errors import Broken
from features.fold.co_visits import NEIGHBOURS, SLOTS, VISIT_BYTES, StoredPairs, decode_pairs
from features.kernel.bytes_of_rows import AT_ONCE, bytes_of_rows
from features.kernel.item_table import ItemTable, grown
from features.kernel.pairs.pair_bytes import MAX_NEIGHBOUR_BYTES, max_pair_bytes, put_neighbours, put_pairs
from features.kernel.pairs.visit_rows import SIGN_BIT, VISIT, Rows, fold_slots
from features.types import ItemId, Millis

_STORED: Final = np.dtype([("ts", ">i8"), ("key", ">i8"), ("other", ">i8"), ("weight", ">u2")])


class PairKernel:
    """The rows (`features.kernel.pairs.visit_rows`), and the room to compute in. `table` says whose they are. limit: of an item's
    visits."""

    def __init__(self, limit: int = SLOTS) -> None:
        self.table = ItemTable()
        self._rows = _rows(self.table.room, limit)
        index = np.zeros(1 << (2 * limit).bit_length(), np.int32)
        self._scratch = index, np.zeros(limit, np.int64), np.zeros(limit, np.int64), np.zeros(NEIGHBOURS, np.int64)
        self._data: AnyArray = np.zeros(AT_ONCE * max(max_pair_bytes(limit), MAX_NEIGHBOUR_BYTES), np.uint8)

    def add(self, item_id: ItemId, stored: bytes | None, broker_ts: Millis = 0) -> int:
        """A row of an item that has none, whose co-visits are stored, or none yet. Raises Broken where these are cut or too many,
        msgspec.DecodeError where they are none."""
        pairs = StoredPairs(0, b"", b"") if stored is None else decode_pairs(stored)
        count, rest = divmod(len(pairs.visits), VISIT_BYTES)
        if rest or count > self._rows.visits.shape[1] or count != len(pairs.undone):
            raise Broken(f"co-visits of item {item_id}: {count} visits, {len(pairs.undone)} marks")
        row = self.table.add(item_id, broker_ts)
        if row >= len(self._rows.counts):
            self._rows = Rows(*(grown(column, self.table.room) for column in self._rows))
        self._rows.ns[row], self._rows.counts[row] = pairs.n, count
        self._fill(row, pairs)
        return row

    def fold(self, rows: IntArray, slots: IntArray) -> None:
        """Fold slots, [S, SLOT_FIELDS], each into its row, in their order."""
        fold_slots(*self._rows, rows, slots)

    def ns(self, rows: IntArray) -> IntArray:
        """The co-visits folded into each row, undone ones included."""
        ns: IntArray = self._rows.ns[rows]
        return ns

    def states(self, rows: IntArray) -> Iterator[bytes]:
        """The stored form of each row: `StoredPairs` as bytes."""
        return bytes_of_rows(rows, self._data, lambda *room: put_pairs(*self._rows, *room))

    def neighbours(self, rows: IntArray) -> Iterator[bytes]:
        """The neighbours of each row as Redis holds them: `Neighbours` as bytes."""
        items, (index, others, sums, top) = self.table.items, self._scratch

        def write(some: IntArray, data: AnyArray, ends: IntArray) -> None:
            put_neighbours(*self._rows, some, data, ends, items, index, others, sums, top)

        return bytes_of_rows(rows, self._data, write)

    def _fill(self, row: int, stored: StoredPairs) -> None:
        visits, found = self._rows.visits[row], np.frombuffer(stored.visits, _STORED)
        count = len(found)
        for name in ("ts", "key", "other", "weight"):
            visits[name][:count] = found[name]
        visits["key"][:count] ^= SIGN_BIT
        visits["undone"][:count] = np.frombuffer(stored.undone, np.uint8)


def _rows(count: int, limit: int) -> Rows:
    counts, ns = np.zeros(count, np.int64), np.zeros(count, np.int64)
    return Rows(np.zeros((count, limit), VISIT), counts, ns)
