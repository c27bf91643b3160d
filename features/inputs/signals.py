"""Signals: a few strengths for every item of a catalogue, as of a moment. Recall takes its candidates by them, and rankers read,
for each candidate, the strength of each signal and the rank that it gives.

Training and serving call the same functions, on features as they stood just before an event or on the freshest ones.
N rows of a catalogue, S signals, n candidates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log2
from typing import Final

import numpy as np
import numpy.typing as npt

from features.arrays import PRIOR_MEAN, BoolArray, FloatArray, IntArray, smoothed_mean
from features.base.item_weights import Relations
from features.base.past_sessions import PastSessions
from features.fold.co_visits import NEIGHBOURS, Neighbours
from features.fold.state import UserFeatures
from features.inputs.columns import ClickWeights, ItemColumns, Tastes, tastes
from features.inputs.facet_table import FacetTable
from features.inputs.standing import Standing, Standings, best_rows
from features.schema.tables import Schema
from features.types import ItemId, UserId
from features.units import ends_session

LIKED_FADE: Final = 0.97
"""The weight of an older positive item relative to the next newer one, for `ease`."""
RECENT_FADE: Final = 0.85
RECENT_LIKED: Final = 20
LATEST_FADE: Final = 0.7
LATEST_LIKED: Final = 10
YEARS: Final = 5.0
"""Two films so many years apart are alike by 1/e."""
MAX_RANKED: Final = 300
"""Items that a signal ranks; those after them have no rank."""


class Together:
    """Live co-visits: each row's neighbours (`features.fold.co_visits.Neighbours`), as shares of their sum."""

    def __init__(self, size: int) -> None:
        self._others: npt.NDArray[np.int32] = np.zeros((size, NEIGHBOURS), np.int32)
        self._shares: FloatArray = np.zeros((size, NEIGHBOURS), np.float32)

    def grow(self, more: int) -> None:
        """Add room for `more` rows."""
        self._others = np.concatenate([self._others, np.zeros((more, NEIGHBOURS), np.int32)])
        self._shares = np.concatenate([self._shares, np.zeros((more, NEIGHBOURS), np.float32)])

    def put(self, row: int, neighbours: Neighbours, row_of: Mapping[ItemId, int]) -> None:
        """Set a row's neighbours; those without a row are left out."""
        self._shares[row] = 0
        total = sum(weight for _, weight in neighbours.top)
        for rank, (item_id, weight) in enumerate(neighbours.top):
            other = row_of.get(item_id)
            if other is not None and weight > 0:  # what has faded to nothing has no share
                self._others[row, rank] = other
                self._shares[row, rank] = weight / total

    def near(self, row: int) -> tuple[npt.NDArray[np.int32], FloatArray]:
        """As `Relations.near`."""
        shares = self._shares[row]
        best = np.argsort(-shares, kind="stable")[: np.count_nonzero(shares)]
        return self._others[row, best], shares[best]

    def spread(self, rows: IntArray, shares: FloatArray, size: int) -> FloatArray:
        """As `Relations.spread`."""
        weights = self._shares[rows] * shares[:, None]
        return np.bincount(self._others[rows].ravel(), weights.ravel(), size).astype(np.float32)


@dataclass(frozen=True)
class ItemIndex:
    """A catalogue as signals see it.

    row_of    item id → row
    ease      linear item-to-item weights (H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019)
    similar   which items are liked one after another
    sessions  of the history
    together  which are liked together right now
    schema    what events mean
    """

    columns: ItemColumns
    row_of: Mapping[ItemId, int]
    ease: Relations
    similar: Relations
    sessions: PastSessions
    together: Together
    schema: Schema

    def __len__(self) -> int:
        return len(self.row_of)

    @cached_property
    def standings(self) -> Standings:
        return Standings(self.columns)

    @property
    def kinds(self) -> dict[str, Relations | Together]:
        """The sources of an item's neighbours, by name."""
        return {"similar": self.similar, "ease": self.ease, "together": self.together}


@dataclass(frozen=True)
class Moment:
    """A user at a time (ms). weights: how kinds of click are blended; allowed: [N], False for items that may not be shown."""

    user: UserFeatures
    at: int
    items: ItemIndex
    weights: ClickWeights
    allowed: BoolArray

    @property
    def user_id(self) -> UserId:
        """The user's number inside."""
        outer = self.user.user_id
        return outer if isinstance(outer, int) else self.items.schema.ids.inside(outer)

    @property
    def size(self) -> int:
        """N: how many items there were when the moment was made; more may have come since."""
        return len(self.allowed)

    @cached_property
    def standing(self) -> Standing:
        """What items alone decide."""
        return self.items.standings.at(self.at, self.size)

    @cached_property
    def tastes(self) -> Tastes:
        return tastes(self.user, self.at, self.weights, self.items.schema)

    @cached_property
    def liking(self) -> tuple[IntArray, FloatArray]:
        """(numbers [k] ascending, liking [k]) of the catalogue's facet values that the user has a taste for, now and lately."""
        known = self.items.columns.facets.number_of
        numbers = np.array([-1 if (number := known(name)) is None else number for name in self.tastes.names], np.int64)
        order = np.argsort(numbers)[np.count_nonzero(numbers < 0) :]
        return numbers[order], self.tastes.values.sum(axis=0)[order]

    @cached_property
    def latest(self) -> list[tuple[int, int, int, int]]:
        """The events of the user's latest session among the newest ones, by time: of the session going on, or of the one before
        where they are back and have done nothing yet."""
        events = sorted(self.user.recent, key=lambda event: event[1])  # a late one stands last in the log
        first = max(0, len(events) - 1)
        while first and not ends_session(events[first][1] - events[first - 1][1]):
            first -= 1
        return events[first:]

    @cached_property
    def session(self) -> IntArray:
        """Rows of the items that the user was interested in and did not dislike in their latest session, oldest first."""
        schema, row_of = self.items.schema, self.items.row_of
        disliked = {item_id for item_id, _, kind, centi in self.latest if schema.weight(kind, centi) < 0}
        rows = (
            row_of.get(item_id, -1)
            for item_id, _, kind, centi in self.latest
            if schema.is_interest(kind, centi) and item_id not in disliked
        )
        return np.array([row for row in rows if 0 <= row < self.size], np.int64)

    def liked(self, count: int, fade: float) -> tuple[IntArray, FloatArray]:
        """(rows [k], shares [k]) of the newest `count` positive items, oldest first; the newest has 1, each older one `fade`
        of the next."""
        rows = [
            row
            for item_id, _ in self.user.sequence[-count:]
            if 0 <= (row := self.items.row_of.get(item_id, -1)) < self.size
        ]
        shares = fade ** np.arange(len(rows) - 1, -1, -1, dtype=np.float32)
        return np.asarray(rows, np.int64), np.asarray(shares, np.float32)


def _ease(moment: Moment) -> FloatArray:
    return moment.items.ease.spread(*moment.liked(len(moment.user.sequence), LIKED_FADE), moment.size)


def _similar(moment: Moment) -> FloatArray:
    return moment.items.similar.spread(*moment.liked(RECENT_LIKED, RECENT_FADE), moment.size)


def _together(moment: Moment) -> FloatArray:
    """Co-visits, damped by popularity: an item that everybody likes is liked together with anything."""
    found = moment.items.together.spread(*moment.liked(RECENT_LIKED, RECENT_FADE), moment.size)
    return np.asarray(found / moment.standing.damping, np.float32)


def _nearest_sessions(moment: Moment) -> FloatArray:
    began = moment.latest[0][1] if moment.latest else 0
    return moment.items.sessions.spread(moment.session, began, moment.size)


def _again(moment: Moment) -> FloatArray:
    """What the user was interested in lately, newer events and more of them counting more; not what they did not like the last
    time that they said."""
    schema, row_of = moment.items.schema, moment.items.row_of
    found = np.zeros(moment.size, np.float32)
    newest_positive: dict[ItemId, bool] = {}
    for ago, (item_id, _, kind, centi) in enumerate(reversed(moment.user.recent)):
        weight = schema.weight(kind, centi)
        if weight and item_id not in newest_positive:
            newest_positive[item_id] = weight > 0
        if newest_positive.get(item_id, True) and schema.is_interest(kind, centi):
            row = row_of.get(item_id, -1)
            if 0 <= row < moment.size:
                found[row] += 1 / log2(2 + ago)
    return found


def _popular_day(moment: Moment) -> FloatArray:
    return moment.standing.popular_day


def _popular(moment: Moment) -> FloatArray:
    return moment.standing.popular


def _genre(moment: Moment) -> FloatArray:
    """The facet values that the user likes, now and recently, in what is popular."""
    size, (numbers, liking) = moment.size, moment.liking
    if not len(numbers):
        return np.zeros(size, np.float32)
    facets = moment.items.columns.facets
    share = facets.all_sums(size, numbers, np.maximum(liking, 0)) / moment.standing.values
    return np.asarray(share * moment.standing.root, np.float32)


OF_ITEMS: Final = ("popular_day", "popular")
"""Signals that are the same for every user."""
Scorer = Callable[[Moment], FloatArray]
"""Strengths [N], 0 or less where the signal does not apply."""
SIGNALS: Final[dict[str, Scorer]] = {
    "ease": _ease,
    "similar": _similar,
    "together": _together,
    "popular_day": _popular_day,
    "popular": _popular,
    "genre": _genre,
    "nearest_sessions": _nearest_sessions,
    "again": _again,
}


def _two_each(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}_{of}" for name in names for of in ("share", "place"))


SIGNAL_COLUMNS: Final = (
    *_two_each("ease", "similar", "together", "popular_day", "popular", "genre"),
    "alike",
    "era",
    "rating",
    *_two_each("nearest_sessions", "again"),
)
"""Only ever append: a version takes as many of them, from the first on, as it was trained on, and a list that was logged with
fewer lacks the last ones."""
FIRST_SIGNAL_COLUMNS: Final = SIGNAL_COLUMNS[: SIGNAL_COLUMNS.index("rating") + 1]
"""Those of before any was appended."""
_COLUMN: Final = {name: at for at, name in enumerate(SIGNAL_COLUMNS)}


class Signals:
    """The signals found at a moment.

    strengths  [N] by name of the signal; those of rows that are not allowed count for nothing
    orders     rows by name, best first, at most MAX_RANKED, those with a strength alone; ties by row
    """

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.strengths: dict[str, FloatArray] = {}
        self.orders: dict[str, IntArray] = {}

    def order(self, name: str) -> IntArray:
        """The order of a signal, found once."""
        if name not in self.orders:
            moment, strengths = self.moment, SIGNALS[name](self.moment)
            if name in OF_ITEMS:
                self.orders[name] = moment.standing.best(name, strengths, moment.allowed, MAX_RANKED)
            else:
                strengths = np.where(moment.allowed, strengths, np.float32(0))
                self.orders[name] = best_rows(strengths, MAX_RANKED)
            self.strengths[name] = strengths
        return self.orders[name]

    def find_all(self) -> None:
        for name in SIGNALS:
            self.order(name)


def find_signals(moment: Moment) -> Signals:
    """All signals of a moment."""
    found = Signals(moment)
    found.find_all()
    return found


def candidates(orders: Mapping[str, IntArray], limit: int) -> tuple[IntArray, IntArray]:
    """(rows [n ≤ limit], found_by [n]): by the best rank that any order gives, ties by the order's index among the orders;
    bit k of found_by is set where the k-th order has the row."""
    if not any(map(len, orders.values())):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    ranked = np.full((max(map(len, orders.values())), len(orders)), -1, np.int64)
    for at, order in enumerate(orders.values()):
        ranked[: len(order), at] = order
    filled = ranked.ravel() >= 0  # by rank, then by order
    rows, bits = ranked.ravel()[filled], np.tile(1 << np.arange(len(orders)), len(ranked))[filled]
    size, numbers = int(rows.max()) + 1, np.arange(len(rows))
    first = np.empty(size, np.int64)
    first[rows[::-1]] = numbers[::-1]  # of several the last one written stays, which is the best rank
    chosen = rows[first[rows] == numbers][:limit]
    found_by = np.bincount(rows, bits, size)[chosen].astype(np.int64)  # an order has a row once: sums are unions
    return chosen, found_by


def signal_matrix(found: Signals, rows: IntArray) -> FloatArray:
    """[n, len(SIGNAL_COLUMNS)] for candidates in `rows`: of each signal its share of the strongest, from 0 to 1, and
    1/log2(2 + rank), 0 without a rank; likeness in facets and in era to the newest positive items, from 0 to 1; and mean
    rating, about 0. A signal that was not found says nothing: 0."""
    moment, out = found.moment, np.zeros((len(rows), len(SIGNAL_COLUMNS)), np.float32)
    gains, allowed = np.zeros(moment.size, np.float32), moment.allowed[rows]
    for name in SIGNALS:
        order = found.orders.get(name)
        if order is None or not len(order):
            continue
        strengths = found.strengths[name]
        share = np.maximum(strengths[rows], 0) / strengths[order[0]]
        out[:, _COLUMN[f"{name}_share"]] = np.where(allowed, share, 0) if name in OF_ITEMS else share
        gains[order] = 1 / np.log2(2 + np.arange(len(order)))
        out[:, _COLUMN[f"{name}_place"]] = gains[rows]
        gains[order] = 0
    out[:, _COLUMN["alike"] : _COLUMN["era"] + 1] = _likeness(moment, rows)
    ratings, total = moment.items.columns.sums[rows, 0], moment.items.columns.sums[rows, 1]
    out[:, _COLUMN["rating"]] = smoothed_mean(total, ratings) - PRIOR_MEAN
    return out


def _likeness(moment: Moment, rows: IntArray) -> FloatArray:
    """[n, 2]: alike, era."""
    columns = moment.items.columns
    liked, shares = moment.liked(LATEST_LIKED, LATEST_FADE)
    if not len(liked):
        return np.zeros((len(rows), 2), np.float32)
    shares = shares / shares.sum()
    gaps = np.abs(columns.years[rows][:, None] - columns.years[liked])
    known = (columns.years[rows] > 0)[:, None] & (columns.years[liked] > 0)
    era = np.where(known, np.exp(-gaps / YEARS), 0) @ shares
    return np.asarray(np.stack([_alike(columns.facets, rows, liked, shares), era], axis=1), np.float32)


def _alike(facets: FacetTable, rows: IntArray, liked: IntArray, shares: FloatArray) -> FloatArray:
    """[n] the mean cosine, by shares [k], of each row's facets and those of the rows `liked` [k]."""
    values, starts = facets.of(liked)
    numbers, index = np.unique(values.astype(np.int64), return_inverse=True)
    taste = np.bincount(index, np.repeat(shares * _scale(facets, liked), np.diff(starts)), len(numbers))
    return facets.sums(rows, numbers, taste.astype(np.float32)) * _scale(facets, rows)


def _scale(facets: FacetTable, rows: IntArray) -> FloatArray:
    """[n] what makes each row's facets, as ones and zeros, a vector of length 1; 1 where it has none."""
    return np.asarray(1 / np.sqrt(np.maximum(facets.counts(rows), 1)), np.float32)
