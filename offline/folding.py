"""The shared fold as Spark's workers run it: sorted events → users' states, sorted contributions → items' states."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import pyarrow as pa

from features.base import encode_similar
from features.fold import UserState, fold_item, fold_user, freeze_user
from features.inputs import ClickWeights, ItemColumns, popularity, tastes
from features.state import ItemFeatures, UserFeatures, encode_features
from features.words import RATING, Contribution, Item, Millis
from offline.datasets import event_of
from offline.runs import Rows, runs

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
ITEM_FEATURES: Final = ["item_id", "title", "genres", "release_year", *(name for name, _ in _COUNTS), "popularity_14d"]

USERS: Final = pa.schema(
    [
        ("user_id", _ID),
        ("state", pa.binary()),
        *_COUNTS,
        ("affinities", pa.map_(pa.string(), _F64)),
        ("items", pa.list_(_ID)),
        ("times", pa.list_(_I64)),
        ("kinds", pa.list_(pa.int32())),
        ("centis", pa.list_(pa.int32())),
        ("signs", pa.list_(pa.int32())),
    ]
)
"""A folded user: frozen state, features for people, and the contributions to items (five lists of equal length)."""

ITEMS: Final = pa.schema(
    [
        ("item_id", _ID),
        ("state", pa.binary()),
        ("title", pa.string()),
        ("genres", pa.list_(pa.string())),
        ("release_year", pa.int32()),
        *_COUNTS,
        ("popularity_14d", _F64),
    ]
)
SIMILAR: Final = pa.schema([("item_id", _ID), ("state", pa.binary())])


def genre_names(catalogue: Iterable[Item]) -> tuple[str, ...]:
    """The genre vocabulary: all names of the catalogue, sorted."""
    return tuple(sorted({name for item in catalogue for name in item.genres}))


def users_worker(name: str, catalogue: Any, cut: Millis) -> Worker:
    """Folds rows (user_id, item_id, rating, ts), sorted by user and then by the data set's order, into USERS.

    `catalogue` is a broadcast dict of Items. The k-th of a user's N rows has n = k - N, so that the log goes on from 0.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        items: dict[int, Item] = catalogue.value
        genres = genre_names(items.values())
        out = Rows(USERS)
        for user_id, (item_ids, ratings, times) in runs(batches, "user_id"):
            state = UserState(UserFeatures(user_id))
            contributions: list[Contribution] = []
            for n, (item_id, rating, ts) in enumerate(zip(item_ids, ratings, times, strict=True), 1 - len(item_ids)):
                outcome = fold_user(state, event_of(name, user_id, item_id, rating, ts), items.get(item_id), n)
                if outcome.contribution is not None:
                    contributions.append(outcome.contribution)
            frozen = freeze_user(state)
            lists = zip(*contributions, strict=True) if contributions else ((),) * 5
            row = (user_id, frozen, *_counts(state.features), _affinities(state.features, cut, genres), *lists)
            if out.add(row, len(frozen) + 40 * len(contributions)):
                yield from out.take()
        yield from out.take()

    return work


def items_worker(catalogue: Any, cut: Millis) -> Worker:
    """Folds contributions (item_id, ts, kind, centi, sign), sorted by item, into ITEMS."""

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        items: dict[int, Item] = catalogue.value
        out = Rows(ITEMS)
        one = ItemColumns(1, ())
        for item_id, lists in runs(batches, "item_id"):
            features = ItemFeatures(item_id)
            for ts, kind, centi, sign in zip(*lists, strict=True):
                fold_item(features, Contribution(item_id, ts, kind, centi, sign))
            one.set_features(0, features)
            item = items.get(item_id, Item(item_id, ""))
            lately = float(popularity(one, slice(0, 1), cut, 14.0)[0])
            told = (item.title, item.genres, item.year, *_counts(features), lately)
            if out.add((item_id, encode_features(features), *told)):
                yield from out.take()
        yield from out.take()

    return work


def similar_worker() -> Worker:
    """Encodes rows (item_id, other, weight), sorted by item and then best first, into SIMILAR."""

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        out = Rows(SIMILAR)
        for item_id, (others, weights) in runs(batches, "item_id"):
            if out.add((item_id, encode_similar(list(zip(others, weights, strict=True))))):
                yield from out.take()
        yield from out.take()

    return work


def _counts(features: UserFeatures | ItemFeatures) -> tuple[Any, ...]:
    ratings = features.counts[RATING]
    mean = features.rating_sum / 100 / ratings if ratings else 0.0
    spread = math.sqrt(max(features.rating_sq / 10_000 / ratings - mean * mean, 0.0)) if ratings else 0.0
    events = sum(features.counts[1:6])
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


def _affinities(features: UserFeatures, at: Millis, genres: tuple[str, ...]) -> dict[str, float]:
    """The slow (14 days) taste for each genre at `at`, from -1 to 1, where it is not 0."""
    slow = tastes(features, at, genres, ClickWeights())[2].tolist()
    return {name: value for name, value in zip(genres, slow, strict=True) if value}
