"""Features as they stood just before a row, as Spark's workers compute them: one vector a user's row, one an item's request.

"Just before" means: from the rows with a smaller number alone, whatever their times are.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa

from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user
from features.inputs.columns import ClickWeights, ItemColumns, item_matrix, user_vector
from features.inputs.facet_vocabulary import Vocabulary, vocabulary_of
from features.schema.document import FILE
from features.schema.tables import read_schema
from features.types import Contribution, Item
from offline.base.fold_workers import Batches, Worker
from offline.datasets.dataset import event_of
from offline.spark.grouped_batches import RowBuffer, runs

_VECTOR: Final = pa.list_(pa.float32())
USER_VECTORS: Final = pa.schema([("seq", pa.int64()), ("user", _VECTOR)])
ITEM_VECTORS: Final = pa.schema(
    [
        ("seq", pa.int64()),
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("at", pa.int64()),
        ("label", pa.float32()),
        ("importance", pa.float32()),
        ("item", _VECTOR),
    ]
)


def user_vectors_worker(name: str, catalogue: Any, schema: str) -> Worker:
    """Rows (user_id, seq, item_id, kind, centi, ts, wanted), sorted by user and seq → USER_VECTORS of the wanted rows."""

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        items: dict[int, Item] = catalogue.value
        vocabulary, weights, means = vocabulary_of(items.values()), ClickWeights(), read_schema(schema, FILE)
        out = RowBuffer(USER_VECTORS)
        for user_id, lists in runs(batches, "user_id"):
            state = UserState(UserFeatures(user_id))
            for n, (seq, item_id, kind, centi, ts, wanted) in enumerate(zip(*lists, strict=True), 1 - len(lists[0])):
                if wanted and out.add((seq, user_vector(state.features, ts, vocabulary, weights, means))):
                    yield from out.take()
                event = event_of(name, user_id, item_id, kind, centi, ts)
                fold_user(state, event, items.get(item_id), n, means)
        yield from out.take()

    return work


def item_vectors_worker(catalogue: Any, schema: str) -> Worker:
    """Rows (item_id, seq, is_event, user_id, ts, kind, centi, weight, label, importance), sorted by item, seq, is_event →
    ITEM_VECTORS.

    An event is folded into its item, a request (is_event 0) is answered; at the same seq the request comes first.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        items: dict[int, Item] = catalogue.value
        means = read_schema(schema, FILE)
        batch = _RequestBatch(vocabulary_of(items.values()), means.unit)
        for item_id, lists in runs(batches, "item_id"):
            item, features = items.get(item_id), ItemFeatures(item_id)
            batch.changed()
            for seq, is_event, user_id, ts, kind, centi, weight, label, importance in zip(*lists, strict=True):
                if is_event:
                    fold_item(features, Contribution(item_id, ts, kind, centi, 1, weight), means)
                    batch.changed()
                else:
                    batch.add_request(item, features, (seq, user_id, item_id, ts, label, importance))
                    if batch.full:
                        yield batch.take()
        if batch.requests:
            yield batch.take()

    return work


_Request = tuple[int, int, int, int, float, float]
"""(seq, user, item, at, label, importance)."""


class _RequestBatch:
    """Requests waiting for their vectors, which are computed together. Requests between two events share a state."""

    def __init__(self, vocabulary: Vocabulary, unit: int, size: int = 2_048) -> None:
        self._vocabulary = vocabulary
        self._columns = ItemColumns(size)
        self._unit = unit
        self._used = 0
        self._fresh = False
        self._rows: list[int] = []
        self.requests: list[_Request] = []

    @property
    def full(self) -> bool:
        return self._used >= len(self._columns) or len(self.requests) >= 2 * len(self._columns)

    def changed(self) -> None:
        """Note that the item or its features have changed."""
        self._fresh = False

    def add_request(self, item: Item | None, features: ItemFeatures, request: _Request) -> None:
        if not self._fresh:
            self._columns.set_item(self._used, request[2], item)
            self._columns.set_features(self._used, features, self._unit)
            self._used += 1
            self._fresh = True
        self._rows.append(self._used - 1)
        self.requests.append(request)

    def take(self) -> pa.RecordBatch:
        seqs, users, ids, times, labels, importances = zip(*self.requests, strict=True)
        rows, at = np.asarray(self._rows, np.int64), np.asarray(times, np.int64)
        matrix = item_matrix(self._columns, rows, at, self._vocabulary)
        self._used, self._fresh, self._rows, self.requests = 0, False, [], []
        offsets = np.arange(0, matrix.size + 1, matrix.shape[1], dtype=np.int32)
        vectors = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(matrix).ravel()))
        arrays = [pa.array(users_, pa.int64()) for users_ in (seqs, users, ids, times)]
        arrays += [pa.array(labels, pa.float32()), pa.array(importances, pa.float32()), vectors]
        return pa.RecordBatch.from_arrays(arrays, schema=ITEM_VECTORS)
