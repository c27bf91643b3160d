"""Items and their co-visits folded by the kernel, in bounded memory: rows of those used last, bytes of the others."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from features.arrays import IntArray
from features.base.reader import Base
from features.fold.co_visits import Pairs
from features.fold.state import ItemFeatures, decode_item
from features.kernel.contribution_rows import OF_ITEM, slots_of_rows
from features.kernel.items.item_kernel import ItemKernel
from features.kernel.pairs.pair_kernel import PairKernel
from features.kernel.users.schema_rules import rules_of
from features.types import ItemId
from streaming.operators.row_cache import Kernel, RowCache
from streaming.operators.stored_state import decode_state

ROWS: Final = 50_000
"""Limit of the rows of items, and of those of co-visits: of 3 and 8 kB each."""
AT_ONCE: Final = 4096
"""Contributions that are folded together: all their items and partners have rows meanwhile, beyond the limit."""


class _Stored(dict[ItemId, bytes]):
    """What left memory."""

    put_all = dict[ItemId, bytes].update


class _Rows:
    """Rows, and which of them have changed since they were last stored."""

    def __init__(self, kernel: Kernel, of_base: Callable[[ItemId], bytes | None], limit: int) -> None:
        self.stored = _Stored()
        self._cache = RowCache(kernel, self.stored, of_base, limit)
        self._table, self._limit = kernel.table, limit
        self._changed: list[IntArray] = []

    def change(self, ids: IntArray) -> IntArray:
        """The rows of items that are about to change."""
        if len(self._table) >= self._limit:
            self.store()
        rows = self._cache.rows_of(ids)
        if len(fresh := self._table.change(rows, 0)):
            self._changed.append(fresh)
        return rows

    def store(self) -> None:
        """Have all that has changed in `stored`, too."""
        if self._changed:
            self._cache.store(np.concatenate(self._changed))
        self._changed = []


class ItemsByKernel:
    """The items that a log touches. limit: of rows in memory; at_once: contributions folded together. item_rows, pair_rows: the
    rows, and what has left memory."""

    def __init__(self, base: Base, limit: int = ROWS, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._items, self._pairs = ItemKernel(rules_of(base.schema)), PairKernel()
        self.item_rows = _Rows(self._items, base.stored_item, limit)
        self.pair_rows = _Rows(self._pairs, base.stored_pairs, limit)
        self._names: dict[ItemId, str] = {}

    def fold(self, rows: IntArray, names: Mapping[ItemId, str]) -> None:
        """Fold contributions, as rows, with the ids outside of their items that are strings."""
        self._names |= names
        for start in range(0, len(rows), self._at_once):
            self._fold(rows[start : start + self._at_once])

    def _fold(self, rows: IntArray) -> None:
        events, slots = rows[:, :OF_ITEM].copy(), slots_of_rows(rows)
        self._items.fold(self.item_rows.change(events[:, 0]), events)
        if len(slots):
            self._pairs.fold(self.pair_rows.change(slots[:, 0]), slots)

    def features(self) -> dict[ItemId, ItemFeatures]:
        """The features of all items touched."""
        self.item_rows.store()
        found = {item_id: decode_item(decode_state(data).value) for item_id, data in self.item_rows.stored.items()}
        for item_id, name in self._names.items():
            found[item_id].item_id = name
        return found

    def pairs(self) -> dict[ItemId, Pairs]:
        """The co-visits of all items touched."""
        self.pair_rows.store()
        stored = self.pair_rows.stored
        return {item_id: Pairs.decode(item_id, decode_state(data).value) for item_id, data in stored.items()}
