"""The shared fold as Spark's workers run it: sorted events → users' states, sorted contributions → states of items and pairs."""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from features.base.reader import Base
from features.fold.co_visits import Pairs
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures, count_acts, encode_features
from features.fold.user import UserState, fold_user, freeze_user
from features.inputs.columns import ClickWeights, ItemColumns, popularity, tastes
from features.schema.document import FILE
from features.schema.tables import Schema, read_schema
from features.types import PROFILE, RATING, Contribution, Item, Millis
from offline.datasets.dataset import event_of
from offline.spark.grouped_batches import RowBuffer, runs, streams

Batches = Iterator[pa.RecordBatch]
Worker = Callable[[Iterable[pa.RecordBatch]], Batches]

_ID, _I64, _F64 = pa.int64(), pa.int64(), pa.float64()
_COUNTS: Final = [
    ("events", _I64),
    ("ratings", _I64),
    ("mean_rating", _F64),
    ("std_rating", _F64),
    ("positives", _I64),
    ("negatives", _I64),
    ("first_ts", _I64),
    ("last_ts", _I64),
]
USER_FEATURES: Final = ["user_id", *(name for name, _ in _COUNTS), "affinities"]
ITEM_FEATURES: Final = ["item_id", "title", "labels", "year", *(name for name, _ in _COUNTS), "popularity_14d"]

USERS: Final = pa.schema(
    [
        ("user_id", _ID),
        ("state", pa.binary()),
        *_COUNTS,
        ("affinities", pa.map_(pa.string(), _F64)),
        ("items", pa.list_(_ID)),
        ("times", pa.list_(_I64)),
        ("kinds", pa.list_(pa.int8())),
        ("centis", pa.list_(_I64)),
        ("signs", pa.list_(pa.int8())),
        ("weights", pa.list_(pa.int32())),
        ("keys", pa.list_(_I64)),
        ("partners", pa.list_(pa.list_(_ID))),
        ("names", pa.list_(pa.string())),
    ]
)
"""A folded user: frozen state, features for people, and the contributions (nine lists of equal length, the fields of
`Contribution`). A row without a user holds contributions alone."""
_KIND: Final = 1
"""Where the kind stands in a row, after the user."""
CHUNK: Final = 5_000
"""Contributions in a row: a user with more is preceded by rows without one."""

ITEMS: Final = pa.schema(
    [
        ("item_id", _ID),
        ("state", pa.binary()),
        ("title", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("year", _I64),
        *_COUNTS,
        ("popularity_14d", _F64),
    ]
)
BLOBS: Final = pa.schema([("item_id", _ID), ("state", pa.binary())])
"""Pairs of an item."""


class FoldedUsers:
    """Folded users on their way out of a worker, as rows of bounded size."""

    def __init__(self, at: Millis, schema: Schema, columns: pa.Schema = USERS) -> None:
        """Affinities are as of `at`. `columns` may have more after those of USERS."""
        self._at, self._schema = at, schema
        self._rows = RowBuffer(columns)
        self._later = (None,) * (len(columns) - len(USERS))
        self._added: list[Contribution] = []

    def add(self, contribution: Contribution | None) -> Batches:
        """Collect the contribution of a fold, if there is one."""
        if contribution is not None:
            self._added.append(contribution)
            if len(self._added) >= CHUNK:
                nobody = (None,) * (len(USERS) - len(Contribution._fields))
                yield from self._put((*nobody, *self._lists(), *self._later), 0)

    def finish(self, user_id: int, frozen: bytes, features: UserFeatures, *more: Any) -> Batches:
        """The user whose contributions were added last."""
        affinities = _affinities(features, self._at, self._schema)
        yield from self._put((user_id, frozen, *_counts(features), affinities, *self._lists(), *more), len(frozen))

    def rest(self) -> Batches:
        """The rows that are left at the end."""
        return self._rows.take()

    def _lists(self) -> tuple[tuple[Any, ...], ...]:
        lists = tuple(zip(*self._added, strict=True)) if self._added else ((),) * len(Contribution._fields)
        self._added = []
        return lists

    def _put(self, row: tuple[Any, ...], size: int) -> Batches:
        if self._rows.add(row, size + 60 * len(row[len(USERS) - 1])):
            yield from self._rows.take()


def users_worker(name: str, catalogue: Any, profiles: Any, schema: str, cut: Millis) -> Worker:
    """Folds rows (user_id, item_id, kind, centi, ts, user, item), sorted by user and then by the data set's order, into USERS.

    `catalogue` is a broadcast dict of Items, `schema` the text of the home's schema. The k-th of a user's N rows has
    n = k - N, so that the log goes on from 0. A row of the kind PROFILE is no event: the user has what the broadcast dict
    `profiles` says.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        items: dict[int, Item] = catalogue.value
        means = read_schema(schema, FILE)
        out = FoldedUsers(cut, means)
        for user_id, columns in runs(batches, "user_id"):
            state = UserState(UserFeatures(user_id))
            rows = list(zip(*columns, strict=True))
            if rows[0][_KIND] == PROFILE:
                user, state.features.attributes = profiles.value[user_id]
                state.features.user_id = user or user_id
                del rows[0]
            for n, row in enumerate(rows, 1 - len(rows)):
                event = event_of(name, user_id, *row)
                outcome = fold_user(state, event, items.get(event.item_id), n, means)
                yield from out.add(outcome.contribution)
            yield from out.finish(user_id, freeze_user(state), state.features)
        yield from out.rest()

    return work


def items_worker(catalogue: Any, schema: str, at: Millis, previous: Path | None = None) -> Worker:
    """Folds contributions (item_id, ts, kind, centi, sign, weight, name), sorted by item, into ITEMS; popularity is as of `at`.

    Items start from the base `previous`, if there is one. A row of sign 0 adds nothing: it names an item of that base.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        items: dict[int, Item] = catalogue.value
        base = None if previous is None else Base(previous)
        out = RowBuffer(ITEMS)
        means, one = read_schema(schema, FILE), ItemColumns(1)
        for item_id, rows in streams(batches, "item_id"):
            stored = None if base is None else base.item_features(item_id)
            features = ItemFeatures(item_id) if stored is None else stored
            for ts, kind, centi, sign, weight, name in rows:
                if sign:
                    fold_item(features, Contribution(item_id, ts, kind, centi, sign, weight, item=name), means)
            one.set_features(0, features, means.unit)
            item = items.get(item_id, Item(item_id, ""))
            popular = float(popularity(one, slice(0, 1), at, 14.0)[0])
            columns = (item.title, item.labels, item.year, *_counts(features), popular)
            if out.add((item_id, encode_features(features), *columns)):
                yield from out.take()
        yield from out.take()

    return work


def pairs_worker(previous: Path | None = None) -> Worker:
    """Folds co-visits (item_id, ts, key, other, weight, count), sorted by item and then by falling weight, into BLOBS.

    A row of a weight above or below 0 is a co-visit that was added or taken back, one of weight 0 counts how many the item has
    gained of both: those too old to be kept need not come. Items start from the base `previous`, if there is one.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        base = None if previous is None else Base(previous)
        out = RowBuffer(BLOBS)
        for item_id, rows in streams(batches, "item_id"):
            pairs = Pairs(item_id) if base is None else base.pairs(item_id)
            n = pairs.n
            for ts, key, other, weight, count in rows:
                n += count
                if weight:
                    pairs.fold(ts, key, other, weight)
            pairs.n = n
            state = pairs.encode()
            if out.add((item_id, state), len(state)):
                yield from out.take()
        yield from out.take()

    return work


def _counts(features: UserFeatures | ItemFeatures) -> tuple[Any, ...]:
    ratings = features.counts[RATING]
    mean = features.rating_sum / 100 / ratings if ratings else 0.0
    spread = math.sqrt(max(features.rating_sq / 10_000 / ratings - mean * mean, 0.0)) if ratings else 0.0
    events = count_acts(features.counts)
    return (
        events,
        ratings,
        mean,
        spread,
        features.positives,
        features.negatives,
        features.first_ts,
        features.last_ts,
    )


def _affinities(features: UserFeatures, at: Millis, schema: Schema) -> dict[str, float]:
    """The slow (14 days) taste for each facet value at `at`, from -1 to 1, where it is not 0."""
    found = tastes(features, at, ClickWeights(), schema)
    return {name: value for name, value in zip(found.names, found.values[2].tolist(), strict=True) if value}
