"""Cache of what one subtask's items are, as rows of a kernel: those used last, read through from Flink's state, else from the
base.

A row that has changed since its lane was last stored stays; only this subtask writes its items, so no row can be stale.
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from features.arrays import IntArray
from features.kernel.item_table import ItemTable
from features.kernel.row_index import NOT_FOUND
from features.types import ItemId, Millis
from streaming.operators.stored_state import StoredState, decode_state, encode


class ItemRows(Protocol):
    """What the cache needs of a kernel."""

    table: ItemTable

    def add(self, item_id: ItemId, stored: bytes | None, broker_ts: Millis = 0) -> int:
        """A row of an item that has none, filled with what is stored of it."""
        ...

    def states(self, rows: IntArray) -> Iterator[bytes]:
        """What is to be stored of each row."""
        ...


Kernel = TypeVar("Kernel", bound=ItemRows)


class RowCache(Generic[Kernel]):
    """The cache (see the module). state: Flink's map of bytes by item (`streaming.operators.byte_states`); of_base: what the base
    has stored of an item; limit: of its rows."""

    def __init__(self, kernel: Kernel, state: Any, of_base: Callable[[ItemId], bytes | None], limit: int) -> None:
        self.kernel = kernel
        self._table = kernel.table
        self._flink = state
        self._of_base = of_base
        self._limit = limit

    def rows_of(self, ids: IntArray) -> IntArray:
        """The rows of items, read if need be."""
        rows = self._table.find(ids)
        missing = rows == NOT_FOUND
        if missing.any():
            for item_id in np.unique(ids[missing]).tolist():
                self._load(item_id)
            rows = self._table.find(ids)
        return rows

    def store(self, rows: IntArray) -> list[bytes]:
        """Put changed rows into Flink's state; returns what is stored of each. Afterwards they may leave the cache, though not
        before the next call."""
        self._table.shrink(self._limit)
        if not len(rows):
            return []
        states = list(self.kernel.states(rows))
        ids, times = self._table.items[rows].tolist(), self._table.broker_ts[rows].tolist()
        self._flink.put_all(
            {
                item_id: encode(StoredState(state, broker_ts))
                for item_id, state, broker_ts in zip(ids, states, times, strict=True)
            }
        )
        self._table.settle(rows)
        return states

    def _load(self, item_id: ItemId) -> None:
        data = self._flink.get(item_id)
        if data is None:
            self.kernel.add(item_id, self._of_base(item_id))
        else:
            stored = decode_state(data)
            self.kernel.add(item_id, stored.value, stored.broker_ts)
