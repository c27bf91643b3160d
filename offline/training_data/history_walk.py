"""A replay of a data set's rows in order: users, items and pairs as of just before each row, by the kernel. It gives exactly
what a request at that moment would have seen, without a stream."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from features.arrays import BoolArray, IntArray
from features.base.reader import (
    EASE,
    REPEATS,
    SEGMENTS,
    SESSIONS,
    SIMILAR,
    read_past_sessions,
    read_relations,
    read_repeats,
    read_segments,
)
from features.inputs.columns import ClickWeights, ItemColumns
from features.inputs.facet_vocabulary import vocabulary_of
from features.inputs.moment import ItemIndex, Moment, Together
from features.inputs.released import released
from features.schema.tables import Schema
from features.types import Item, ItemId, Millis, UserId
from offline.datasets.dataset import Dataset, EventRow, event_of, rows_between
from offline.datasets.user_profiles import read_profiles
from offline.training_data.folded_history import FoldedHistory


class HistoryWalk:
    """See the module.

    dataset    its name is in the ids of its events; users have the attributes that it knows, at any time
    catalogue  item id → Item
    ids        [N] ids of all items that rows and catalogue name, ascending: the rows of the index
    relations  folder of the weights between items and of sessions, made of rows before the first query
    schema     what events mean
    """

    def __init__(
        self, dataset: Dataset, catalogue: dict[ItemId, Item], ids: IntArray, relations: Path, schema: Schema
    ) -> None:
        self._name = dataset.name
        self._attributes = {user_id: each.attributes for user_id, each in read_profiles(dataset, schema).items()}
        self._catalogue = catalogue
        self.vocabulary = vocabulary_of(catalogue.values())
        columns = ItemColumns(len(ids))
        row_of = {item_id: row for row, item_id in enumerate(ids.tolist())}
        for item_id, row in row_of.items():
            columns.set_item(row, item_id, catalogue.get(item_id))
        ease, similar = (read_relations(relations / kind, ids) for kind in (EASE, SIMILAR))
        sessions = read_past_sessions(relations / SESSIONS, ids)
        repeats, segments = read_repeats(relations / REPEATS, ids), read_segments(relations / SEGMENTS, ids)
        together = Together(len(ids))
        self.index = ItemIndex(columns, row_of, ease, similar, sessions, together, schema, repeats, segments)
        self._history = FoldedHistory(schema)

    def fold(self, row: EventRow) -> None:
        """Fold the next row."""
        event = event_of(self._name, *row)
        self._history.take(event, self._catalogue.get(event.item_id))

    def moment(self, row: EventRow) -> Moment:
        """The moment of a row's user at its time and in its context, after the rows folded so far; good until the next fold."""
        user_id, _, _, _, at, *_, context = row
        history, row_of = self._history, self.index.row_of
        history.fold()
        for item_id, features in history.changed_items():
            self.index.columns.set_features(row_of[item_id], features, self.index.schema.unit)
        for item_id, neighbours in history.changed_pairs():
            self.index.together.put(row_of[item_id], neighbours, row_of)
        own = history.hidden(user_id)
        hidden, free = self._hidden(own, at), released(own, at, row_of)
        user = history.features(user_id)
        user.attributes = self._attributes.get(user_id, "")
        fields = self.index.schema.context.read(context)
        return Moment(user, at, self.index, ClickWeights(), self._all_but(hidden), hidden, free, fields)

    def allowed(self, user_id: UserId, at: Millis) -> BoolArray:
        """[N] False for the items that are hidden from the user at a time."""
        self._history.fold()
        return self._all_but(self._hidden(self._history.hidden(user_id), at))

    def _hidden(self, own: Mapping[ItemId, Millis], at: Millis) -> IntArray:
        """Rows of the items that a user's own acts hide from them at a time. own: item → until when."""
        hidden = [item_id for item_id, until in own.items() if until > at]
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
