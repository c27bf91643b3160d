"""Items as rows: which row an item has, which rows have changed since they were last stored, and which were used longest ago.
What a row says of its item is its kernel's.
"""

from typing import Final

import numpy as np

from features.arrays import AnyArray, IntArray
from features.kernel.row_index import put_row, remove_row, row_of
from features.recall.compiled import compiled
from features.types import ItemId, Millis

_FIRST_ROWS: Final = 256


class ItemTable:
    """Rows of items, [R].

    items      int64: item ids
    broker_ts  int64: when the broker took the newest record that has changed a row, ms
    """

    def __init__(self) -> None:
        self.items: IntArray = np.zeros(_FIRST_ROWS, np.int64)
        self.broker_ts: IntArray = np.zeros(_FIRST_ROWS, np.int64)
        self._changed: AnyArray = np.zeros(_FIRST_ROWS, np.uint8)
        self._used: IntArray = np.zeros(_FIRST_ROWS, np.int64)
        """The round of storing in which a row was last used; 0: it is free."""
        self._round = 1
        self._index: AnyArray = np.zeros(4 * _FIRST_ROWS, np.int32)
        self._free: list[int] = []
        self._end = 0
        """No row from here on was ever used."""

    def __len__(self) -> int:
        return self._end - len(self._free)

    @property
    def room(self) -> int:
        """How many rows there are, free ones included."""
        return len(self.items)

    def find(self, ids: IntArray) -> IntArray:
        """The row of each item, NOT_FOUND for one that has none."""
        rows = np.empty(len(ids), np.int64)
        find_rows(self._index, self.items, np.ascontiguousarray(ids), rows)
        return rows

    def add(self, item_id: ItemId, broker_ts: Millis) -> int:
        """A row for an item that has none."""
        if self._free:
            row = self._free.pop()
        else:
            if self._end == self.room:
                self._grow()
            row = self._end
            self._end += 1
        self.items[row], self.broker_ts[row], self._used[row] = item_id, broker_ts, self._round
        put_row(self._index, self.items, row)
        return row

    def change(self, rows: IntArray, broker_ts: Millis) -> IntArray:
        """Note that a record of that broker time changes rows. Returns those that had not changed before, each once."""
        fresh = np.empty(len(rows), np.int64)
        count = change_rows(self._changed, self.broker_ts, self._used, rows, broker_ts, self._round, fresh)
        return fresh[:count]

    def settle(self, rows: IntArray) -> None:
        """Note that rows are stored as they are."""
        self._changed[rows] = 0
        self._round += 1

    def shrink(self, limit: int) -> None:
        """Where there are more than `limit` rows, free a tenth more than that, those used longest ago; none that has changed."""
        if len(self) <= limit:
            return
        (rows,) = np.nonzero((self._used[: self._end] > 0) & (self._changed[: self._end] == 0))
        excess = min(len(rows), len(self) - limit + limit // 10)
        for row in rows[np.argsort(self._used[rows], kind="stable")[:excess]].tolist():
            remove_row(self._index, self.items, row)
            self._used[row] = 0
            self._free.append(row)

    def _grow(self) -> None:
        self.items, self.broker_ts, self._changed, self._used = (
            grown(column, 2 * self.room) for column in (self.items, self.broker_ts, self._changed, self._used)
        )
        self._index = np.zeros(2 * len(self._index), np.int32)
        for row in np.flatnonzero(self._used).tolist():
            put_row(self._index, self.items, row)


def grown(column: AnyArray, rows: int) -> AnyArray:
    """A column with room for so many rows; what is new of it is 0."""
    more = np.zeros((rows - len(column), *column.shape[1:]), column.dtype)
    return np.concatenate((column, more))


@compiled
def find_rows(index: AnyArray, items: IntArray, ids: IntArray, rows: IntArray) -> None:
    """Fill `rows` with the row of each id, NOT_FOUND where it has none."""
    for at in range(len(ids)):
        rows[at] = row_of(index, items, ids[at])


@compiled
def change_rows(
    changed: AnyArray,
    broker_ts: IntArray,
    used: IntArray,
    rows: IntArray,
    newest: int,
    round_: int,
    fresh: IntArray,
) -> int:
    """Mark rows as changed and used; fills `fresh` with those that had not changed before, and returns how many these are."""
    count = 0
    for row in rows:
        broker_ts[row] = max(broker_ts[row], newest)
        used[row] = round_
        if not changed[row]:
            changed[row] = 1
            fresh[count] = row
            count += 1
    return count
