"""Rows of a data set folded by the kernel: its users, items and co-visits in memory, as of any row."""

from collections.abc import Iterator
from itertools import islice
from typing import Final, Generic, TypeVar

import numpy as np

from features.arrays import IntArray
from features.fold.co_visits import Neighbours, decode_neighbours
from features.fold.state import ItemFeatures, StoredUser, UserFeatures, decode_item, decode_user
from features.fold.user import fold_user
from features.kernel.contribution_rows import OF_ITEM, rows_of, slots_of_rows
from features.kernel.items.item_kernel import ItemKernel
from features.kernel.pairs.pair_kernel import PairKernel
from features.kernel.row_index import NOT_FOUND
from features.kernel.users.event_batch import EventBatch
from features.kernel.users.schema_rules import rules_of
from features.kernel.users.user_kernel import UserKernel
from features.kernel.users.user_rows import UserRows
from features.schema.tables import Schema
from features.types import Event, Item, ItemId, Millis, UserId

BATCH: Final = 4096
"""Limit of the events that are folded together."""
ROWS: Final = 10_000
"""Limit of the users who are held as rows, of some 15 kB; those who did nothing for longest are held as stored, in 3 kB."""


class FoldedHistory:
    """Takes events in their order; `fold` must be called before anything is read. schema: what events mean."""

    def __init__(self, schema: Schema, batch: int = BATCH, rows: int = ROWS) -> None:
        self._schema = schema
        self._batch_limit, self._row_limit = batch, rows
        rules = rules_of(schema)
        self._kernel = UserKernel(rules)
        self._batch: EventBatch[None] = EventBatch(self._kernel, schema)
        self._users: dict[UserId, UserRows] = {}
        """The one who did nothing for longest first."""
        self._stored: dict[UserId, StoredUser] = {}
        self._items = _ChangedRows(ItemKernel(rules))
        self._pairs = _ChangedRows(PairKernel())
        self._taken = 0
        self._waiting = 0

    def take(self, event: Event, item: Item | None) -> None:
        """Take the next event, on an item of the catalogue or on none of it."""
        self._taken += 1
        rows = self._rows_of(event.user_id)
        if self._batch.takes(event):
            self._batch.add(None, rows, event, item, self._taken, 0)
            self._waiting += 1
            if self._waiting >= self._batch_limit:
                self.fold()
            return
        self.fold()
        state = self._kernel.thaw(rows)
        _, added = fold_user(state, event, item, self._taken, self._schema)
        self._kernel.freeze(rows, state)
        if added is not None:
            self._add(rows_of([added]))

    def fold(self) -> None:
        """Fold what was taken."""
        if self._waiting:
            self._waiting = 0
            self._add(self._batch.fold().contributions)
        self._put_away()

    def features(self, user_id: UserId) -> UserFeatures:
        """The features of a user."""
        known = self._users.get(user_id) or self._stored.get(user_id)
        return UserFeatures(user_id) if known is None else decode_user(known.features)

    def hidden(self, user_id: UserId) -> dict[ItemId, Millis]:
        """What the user's own acts hide from them, and until when."""
        return self._kernel.hidden(self._rows_of(user_id))

    def changed_items(self) -> Iterator[tuple[ItemId, ItemFeatures]]:
        """The items that have changed since this was last called, with their features."""
        rows = self._items.take()
        ids = self._items.kernel.table.items[rows].tolist()
        return zip(ids, map(decode_item, self._items.kernel.states(rows)), strict=True)

    def changed_pairs(self) -> Iterator[tuple[ItemId, Neighbours]]:
        """The items whose co-visits have changed since this was last called, with their neighbours."""
        rows = self._pairs.take()
        ids = self._pairs.kernel.table.items[rows].tolist()
        return zip(ids, map(decode_neighbours, self._pairs.kernel.neighbours(rows)), strict=True)

    def _rows_of(self, user_id: UserId) -> UserRows:
        rows = self._users.pop(user_id, None)
        if rows is None:
            stored = self._stored.pop(user_id, None)
            rows = self._kernel.new_user(user_id) if stored is None else self._kernel.load(stored)
        self._users[user_id] = rows
        return rows

    def _put_away(self) -> None:
        """Have all but the newest users stored where there are too many rows. Nothing of them may be waiting."""
        if len(self._users) > self._row_limit:
            for user_id in [*islice(self._users, len(self._users) - self._row_limit // 2)]:
                self._stored[user_id] = self._kernel.store(self._users.pop(user_id))

    def _add(self, contributions: IntArray) -> None:
        if len(contributions):
            self._items.fold(contributions[:, :OF_ITEM].copy())
        if len(slots := slots_of_rows(contributions)):
            self._pairs.fold(slots)


K = TypeVar("K", ItemKernel, PairKernel)


class _ChangedRows(Generic[K]):
    """The rows of a kernel, and which of them have changed."""

    def __init__(self, kernel: K) -> None:
        self.kernel: K = kernel
        self._changed: list[IntArray] = []

    def fold(self, events: IntArray) -> None:
        """Fold events, whose first column names their item."""
        ids, table = events[:, 0], self.kernel.table
        rows = table.find(ids)
        for item_id in np.unique(ids[rows == NOT_FOUND]).tolist():
            self.kernel.add(item_id, None)
        rows = table.find(ids)
        self._changed.append(table.change(rows, 0))
        self.kernel.fold(rows, events)

    def take(self) -> IntArray:
        """The rows that have changed since this was last called, each once."""
        rows: IntArray = np.concatenate([np.zeros(0, np.int64), *self._changed])
        self._changed = []
        self.kernel.table.settle(rows)
        return rows
