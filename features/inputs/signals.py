"""Signals: a few strengths for every item of a catalogue, as of a moment. Recall takes its candidates by most of them, and
rankers read, for each candidate, the strength of each signal and the rank that it gives.

Training and serving call the same functions, on features as they stood just before an event or on the freshest ones.
N rows of a catalogue, S signals, n candidates.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from math import log2
from typing import Final, Protocol

import numpy as np

from features.arrays import FloatArray, IntArray
from features.base.segments import segments_of, segments_of_context
from features.inputs.compiled_items import fill_ratings
from features.inputs.moment import Moment
from features.inputs.popular_by_taste import popular_by_taste
from features.inputs.released import due_strengths, fill_released
from features.recall.compiled import scratch
from features.recall.likeness import fill_likeness
from features.recall.sparse import (
    allowed_values,
    best,
    divided,
    fill_columns,
    fill_columns_of_all,
    fill_columns_of_keys,
    keys_of,
    merge,
    read_values,
)
from features.recall.whole_order import weighted_rows
from features.types import ItemId

EASE_FADE: Final = 0.9
"""The weight of an older item relative to the next newer one, for `ease`."""
EASE_SOURCES: Final = 50
RECENT_FADE: Final = 0.85
RECENT_LIKED: Final = 20
LATEST_FADE: Final = 0.7
LATEST_LIKED: Final = 10
YEARS: Final = 5.0
"""Two films so many years apart are alike by 1/e."""
NO_ROWS: Final = np.zeros(0, np.int64)
_FADES: Final = np.exp(-np.arange(256) / YEARS)
"""By years; beyond those nothing is left."""
MAX_ACTED: Final = 1_000
"""Of more items that a user has acted on, so many lead to others, spread evenly over the catalogue."""
MAX_RANKED: Final = 300
"""Items that a signal ranks; those after them have no rank."""
_OF_RANK: Final = np.array([0, *(1 / log2(1 + rank) for rank in range(1, MAX_RANKED + 1))], np.float32)
"""[MAX_RANKED + 1] what a rank, from 1 on, is worth; 0 is none."""


class Found(Protocol):
    """What a signal finds at a moment. order: [≤ MAX_RANKED] allowed rows with a strength above 0, best first, ties by row."""

    @property
    def order(self) -> IntArray: ...

    def at(self, rows: IntArray) -> FloatArray:
        """[n] the strengths of rows; 0 for those that are not allowed, 0 or less where the signal says nothing."""

    def fill(self, out: FloatArray, column: int, rows: IntArray) -> None:
        """Set two columns of out [n, …] for rows, as `fill_columns`; there is an order."""


class _Few:
    """Strengths of the few rows that a history leads to."""

    def __init__(self, moment: Moment, keys: IntArray) -> None:
        self._columns, self._keys = moment.items.columns, keys
        self.order = best(keys, MAX_RANKED)

    def at(self, rows: IntArray) -> FloatArray:
        return read_values(self._keys, rows, scratch(len(self._columns)).sums)

    def fill(self, out: FloatArray, column: int, rows: IntArray) -> None:
        room = scratch(len(self._columns))
        fill_columns_of_keys(out, column, rows, self._keys, self.order, room.sums, room.first, _OF_RANK)


class _OfItems:
    """Strengths that are the same for every user."""

    def __init__(self, moment: Moment, name: str, strengths: FloatArray) -> None:
        self._allowed, self._strengths = moment.allowed, strengths
        self.order = moment.standing.order(name).best(moment.allowed, MAX_RANKED)

    def at(self, rows: IntArray) -> FloatArray:
        return allowed_values(self._strengths, rows, self._allowed)

    def fill(self, out: FloatArray, column: int, rows: IntArray) -> None:
        ranks = scratch(len(self._strengths)).first
        fill_columns_of_all(out, column, rows, self._strengths, self._allowed, self.order, ranks, _OF_RANK)


class _OfTaste:
    """The facet values that the user likes, now and recently, in what is popular."""

    def __init__(self, moment: Moment) -> None:
        self._facets, self._root, self._allowed = moment.items.columns.facets, moment.standing.root, moment.allowed
        numbers, liking = moment.liking
        self._liking = np.zeros(len(self._facets.names), np.float32)
        self._liking[numbers] = np.maximum(liking, 0)
        self.order = popular_by_taste(
            self._facets, self._liking, moment.standing.order("popular"), self._root, moment.allowed, MAX_RANKED
        )

    def at(self, rows: IntArray) -> FloatArray:
        return weighted_rows(self._facets.runs, self._liking, self._root, rows, self._allowed)

    def fill(self, out: FloatArray, column: int, rows: IntArray) -> None:
        top = self.at(self.order[:1])[0]
        fill_columns(out, column, rows, self.at(rows), top, self.order, scratch(len(self._root)).first, _OF_RANK)


def _ease(moment: Moment) -> Found:
    return _Few(moment, moment.items.ease.spread(*moment.sources(EASE_SOURCES, EASE_FADE), moment.allowed))


def _similar(moment: Moment) -> Found:
    return _Few(moment, moment.items.similar.spread(*moment.sources(RECENT_LIKED, RECENT_FADE), moment.allowed))


def _together(moment: Moment) -> Found:
    """Co-visits, damped by popularity: an item that everybody likes is liked together with anything."""
    found = moment.items.together.spread(*moment.sources(RECENT_LIKED, RECENT_FADE), moment.allowed)
    return _Few(moment, divided(found, moment.standing.damping))


def _nearest_sessions(moment: Moment) -> Found:
    began = moment.latest[0][1] if moment.latest else 0
    return _Few(moment, moment.items.sessions.spread(moment.session, began, moment.allowed))


def _again(moment: Moment) -> Found:
    """What the user was interested in lately, newer events and more of them counting more; not what they did not like the last
    time that they said."""
    schema, row_of, size = moment.items.schema, moment.items.row_of, moment.size
    found: dict[int, float] = {}
    newest_positive: dict[ItemId, bool] = {}
    for ago, (item_id, _, kind, centi) in enumerate(reversed(moment.user.recent)):
        weight = schema.weight(kind, centi)
        if weight and item_id not in newest_positive:
            newest_positive[item_id] = weight > 0
        if newest_positive.get(item_id, True) and (weight > 0 or schema.kind(kind).click):
            row = row_of.get(item_id, -1)
            if 0 <= row < size:
                found[row] = found.get(row, 0.0) + 1 / log2(2 + ago)
    rows = np.fromiter(found, np.int64, len(found))
    return _Few(moment, keys_of(rows, np.fromiter(found.values(), np.float32, len(found)), moment.allowed))


def _due(moment: Moment) -> Found:
    """What the user took, may be shown again, and is likelier than the mean to be taken again after that time."""
    strengths = due_strengths(moment.released, moment.items.repeats)
    return _Few(moment, keys_of(moment.released.rows, strengths, moment.allowed))


def _segments(moment: Moment) -> Found:
    """What users with the same attributes, and all in the same circumstances, like more than all do."""
    schema = moment.items.schema
    names = segments_of(moment.user.attributes, schema.users) + segments_of_context(moment.context, schema.context)
    return _Few(moment, moment.items.segments.spread(names, moment.allowed))


def _long_ease(moment: Moment) -> Found:
    return _Few(moment, moment.items.ease.spread(*_all_acted(moment), moment.allowed))


def _long_similar(moment: Moment) -> Found:
    return _Few(moment, moment.items.similar.spread(*_all_acted(moment), moment.allowed))


def _all_acted(moment: Moment) -> tuple[IntArray, FloatArray]:
    """(rows [k ≤ MAX_ACTED], shares [k]) of all that the user has acted on, however long ago, each as much as any other."""
    rows = moment.acted
    if len(rows) > MAX_ACTED:
        rows = np.sort(rows)[np.linspace(0, len(rows) - 1, MAX_ACTED).astype(np.int64)]
    return rows, np.ones(len(rows), np.float32)


def _popular_day(moment: Moment) -> Found:
    return _OfItems(moment, "popular_day", moment.standing.popular_day)


def _popular(moment: Moment) -> Found:
    return _OfItems(moment, "popular", moment.standing.popular)


Signal = Callable[[Moment], Found]
RECALL_SIGNALS: Final[dict[str, Signal]] = {
    "ease": _ease,
    "similar": _similar,
    "together": _together,
    "popular_day": _popular_day,
    "popular": _popular,
    "genre": _OfTaste,
    "nearest_sessions": _nearest_sessions,
    "again": _again,
    "due": _due,
    "segments": _segments,
}
RANKERS_ALONE: Final[dict[str, Signal]] = {"long_ease": _long_ease, "long_similar": _long_similar}
"""What rankers read and recall does not: alone it is weak, beside the newest events it tells what those have left out."""
SIGNALS: Final = RECALL_SIGNALS | RANKERS_ALONE


def _two_each(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}_{of}" for name in names for of in ("share", "place"))


SIGNAL_COLUMNS: Final = (
    *_two_each("ease", "similar", "together", "popular_day", "popular", "genre"),
    "alike",
    "era",
    "rating",
    *_two_each("nearest_sessions", "again", "long_ease", "long_similar", "due"),
    "released",
    "lift",
    *_two_each("segments"),
)
"""Only ever append: a version takes as many of them, from the first on, as it was trained on, and a list that was logged with
fewer lacks the last ones."""
FIRST_SIGNAL_COLUMNS: Final = SIGNAL_COLUMNS[: SIGNAL_COLUMNS.index("rating") + 1]
"""Those of before any was appended."""
_COLUMN: Final = {name: at for at, name in enumerate(SIGNAL_COLUMNS)}


class Signals:
    """The signals found at a moment.

    orders  rows by name, best first, at most MAX_RANKED, those with a strength alone; ties by row
    """

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.orders: dict[str, IntArray] = {}
        self._found: dict[str, Found] = {}

    def order(self, name: str) -> IntArray:
        """The order of a signal, found once."""
        if name not in self.orders:
            self._found[name] = found = SIGNALS[name](self.moment)
            self.orders[name] = found.order
        return self.orders[name]

    def at(self, name: str, rows: IntArray) -> FloatArray:
        """[n] the strengths of rows by a signal; 0 for those that are not allowed."""
        self.order(name)
        return self._found[name].at(rows)

    def fill(self, name: str, out: FloatArray, rows: IntArray) -> None:
        """Set a signal's columns of a matrix [n, len(SIGNAL_COLUMNS)] for rows; the signal has an order."""
        self._found[name].fill(out, _COLUMN[f"{name}_share"], rows)

    def find(self, names: Iterable[str]) -> dict[str, IntArray]:
        """The orders of signals, by name."""
        return {name: self.order(name) for name in names}


def find_signals(moment: Moment) -> Signals:
    """All signals of a moment."""
    found = Signals(moment)
    found.find(SIGNALS)
    return found


def candidates(orders: Mapping[str, IntArray], limit: int, first: int = 0) -> tuple[IntArray, IntArray]:
    """(rows [n ≤ limit], found_by [n]): all of the `first` first orders, then by the best rank that any order gives, ties by the
    order's index among the orders; bit k of found_by is set where the k-th order has the row."""
    rows = np.concatenate([NO_ROWS, *orders.values()])
    starts = np.fromiter(accumulate(map(len, orders.values()), initial=0), np.int64, len(orders) + 1)
    room, found_by = scratch(1 + int(rows.max(initial=0))), np.zeros(min(limit, len(rows)), np.int64)
    chosen = merge(rows, starts, limit, first, room.first, room.touched, found_by)
    return chosen, found_by[: len(chosen)]


def signal_matrix(found: Signals, rows: IntArray) -> FloatArray:
    """[n, len(SIGNAL_COLUMNS)] for candidates in `rows`: of each signal its share of the strongest, from 0 to 1, and
    1/log2(2 + rank), 0 without a rank; likeness in facets and in era to the newest positive items, from 0 to 1; mean rating,
    about 0; whether the user took it before and may take it again, 0 or 1; and how much likelier or less likely than the mean
    that is by now, from −1 to 1. A signal of recall that was not found says nothing: 0."""
    moment, out = found.moment, np.zeros((len(rows), len(SIGNAL_COLUMNS)), np.float32)
    found.find(RANKERS_ALONE)
    for name, order in found.orders.items():
        if len(order):
            found.fill(name, out, rows)
    _fill_likeness(out, moment, rows)
    fill_ratings(out, _COLUMN["rating"], rows, moment.items.columns.sums)
    fill_released(out, _COLUMN["released"], rows, moment.released, moment.items.repeats, moment.allowed)
    return out


def _fill_likeness(out: FloatArray, moment: Moment, rows: IntArray) -> None:
    """Set the columns alike and era."""
    columns = moment.items.columns
    liked, shares = moment.liked(LATEST_LIKED, LATEST_FADE)
    if len(liked):
        shares = shares / shares.sum()
        taste = scratch(len(columns.facets.names)).sums
        fill_likeness(out, _COLUMN["alike"], rows, liked, shares, *columns.facets.runs, columns.years, _FADES, taste)
