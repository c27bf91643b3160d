"""A replay of a data set's rows in order: users, items and pairs as of just before each row, by the core's own folds. It gives
exactly what a request at that moment would have seen, without a stream."""

from pathlib import Path

import numpy as np

from features.arrays import BoolArray, IntArray
from features.base.reader import EASE, SESSIONS, SIMILAR, read_past_sessions, read_relations
from features.fold.co_visits import Pairs, slots_of
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user
from features.inputs.columns import ClickWeights, ItemColumns
from features.inputs.facet_vocabulary import vocabulary_of
from features.inputs.moment import ItemIndex, Moment, Together
from features.schema.tables import Schema
from features.types import Item, ItemId, Millis, UserId
from offline.datasets.dataset import Dataset, EventRow, event_of, rows_between


class HistoryWalk:
    """See the module.

    name       of the data set, as in the ids of its events
    catalogue  item id → Item
    ids        [N] ids of all items that rows and catalogue name, ascending: the rows of the index
    relations  folder of the weights between items and of sessions, made of rows before the first query
    schema     what events mean
    """

    def __init__(
        self, name: str, catalogue: dict[ItemId, Item], ids: IntArray, relations: Path, schema: Schema
    ) -> None:
        self._name = name
        self._schema = schema
        self._catalogue = catalogue
        self.vocabulary = vocabulary_of(catalogue.values())
        columns = ItemColumns(len(ids))
        row_of = {item_id: row for row, item_id in enumerate(ids.tolist())}
        for item_id, row in row_of.items():
            columns.set_item(row, item_id, catalogue.get(item_id))
        ease, similar = (read_relations(relations / kind, ids) for kind in (EASE, SIMILAR))
        sessions = read_past_sessions(relations / SESSIONS, ids)
        self.index = ItemIndex(columns, row_of, ease, similar, sessions, Together(len(ids)), schema)
        self._users: dict[UserId, UserState] = {}
        self._items: dict[ItemId, ItemFeatures] = {}
        self._pairs: dict[ItemId, Pairs] = {}
        self._changed: tuple[set[ItemId], set[ItemId]] = (set(), set())
        self._folded = 0

    def fold(self, row: EventRow) -> None:
        """Fold the next row."""
        self._folded += 1
        event = event_of(self._name, *row)
        item_id, state = event.item_id, self.user(event.user_id)
        _, added = fold_user(state, event, self._catalogue.get(item_id), self._folded, self._schema)
        if added is None:
            return
        items, pairs = self._changed
        items.add(item_id)
        self._items[item_id] = fold_item(self._items.get(item_id) or ItemFeatures(item_id), added, self._schema)
        for one, when, key, other, weight in slots_of(added):
            pairs.add(one)
            if one not in self._pairs:
                self._pairs[one] = Pairs(one)
            self._pairs[one].fold(when, key, other, weight)

    def user(self, user_id: UserId) -> UserState:
        """The user as folded so far; consumed by the next fold."""
        state = self._users.get(user_id)
        if state is None:
            state = self._users[user_id] = UserState(UserFeatures(user_id))
        return state

    def moment(self, user_id: UserId, at: Millis) -> Moment:
        """The moment of a user at a time, after the rows folded so far; good until the next fold."""
        items, pairs = self._changed
        for item_id in items:
            self.index.columns.set_features(self.index.row_of[item_id], self._items[item_id], self._schema.unit)
        for item_id in pairs:
            self.index.together.put(self.index.row_of[item_id], self._pairs[item_id].neighbours(), self.index.row_of)
        items.clear()
        pairs.clear()
        hidden = self._hidden(user_id, at)
        return Moment(self.user(user_id).features, at, self.index, ClickWeights(), self._all_but(hidden), hidden)

    def allowed(self, user_id: UserId, at: Millis) -> BoolArray:
        """[N] False for the items that are hidden from the user at a time."""
        return self._all_but(self._hidden(user_id, at))

    def _hidden(self, user_id: UserId, at: Millis) -> IntArray:
        """Rows of the items that are hidden from the user at a time."""
        hidden = [item_id for item_id, _, until in self.user(user_id).seen.items() if until > at]
        return np.fromiter((self.index.row_of[item_id] for item_id in hidden), np.int64, len(hidden))

    def _all_but(self, rows: IntArray) -> BoolArray:
        allowed = np.ones(len(self.index), bool)
        allowed[rows] = False
        return allowed


def item_ids(dataset: Dataset, rows: int) -> IntArray:
    """Ids of all items that the catalogue or the first `rows` rows name, ascending: the rows of a HistoryWalk's index."""
    known = [np.unique(batch["item_id"].to_numpy()) for batch in rows_between(dataset, 0, rows)]
    ids: IntArray = np.unique(np.concatenate([np.array([item.item_id for item in dataset.items], np.int64), *known]))
    return ids
