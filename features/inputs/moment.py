"""A user at a moment, over a catalogue as signals see it: what recall and rankers are computed from.

N rows of a catalogue.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, FloatArray, IntArray
from features.base.item_weights import Relations
from features.base.past_sessions import PastSessions
from features.base.repeat_lifts import Repeats
from features.base.segments import Segments
from features.fold.co_visits import NEIGHBOURS, Neighbours
from features.fold.state import UserFeatures
from features.inputs.columns import ClickWeights, ItemColumns, Tastes, tastes
from features.inputs.compiled_users import newest_known
from features.inputs.released import Released, nothing_released
from features.inputs.standing import Standing, Standings
from features.recall.compiled import scratch
from features.recall.sparse import table_sums
from features.schema.tables import Schema
from features.types import ItemId, UserId
from features.units import ends_session

NOT_POSITIVE: Final = 0.3
"""What was taken and not liked, such as a film rated low, still tells where a user is: it leads to other items by so much of what
a positive one does."""
ONE: Final = np.float32(1)


def _no_rows() -> IntArray:
    return np.zeros(0, np.int64)


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

    def spread(self, rows: IntArray, shares: FloatArray, allowed: BoolArray) -> IntArray:
        """As `Relations.spread`."""
        room = scratch(len(self._others))
        return table_sums(self._others, self._shares, rows, shares, allowed, room.sums, room.touched)


@dataclass(frozen=True)
class ItemIndex:
    """A catalogue as signals see it.

    row_of    item id → row
    ease      linear item-to-item weights (H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019)
    similar   which items are liked one after another
    sessions  of the history
    together  which are liked together right now
    schema    what events mean
    repeats   how soon items are taken again
    segments  what segments like
    """

    columns: ItemColumns
    row_of: Mapping[ItemId, int]
    ease: Relations
    similar: Relations
    sessions: PastSessions
    together: Together
    schema: Schema
    repeats: Repeats = field(default_factory=Repeats.none)
    segments: Segments = field(default_factory=Segments.none)

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
    """A user at a time (ms).

    weights  how kinds of click are blended
    allowed  [N] False for items that may not be shown
    acted    rows of the items that the user's own acts hide from them then, in no order: a memory longer than the newest events
    released items that the user's own acts hid from them for a time which is over
    context  what is said of the circumstances, by the names of the schema
    """

    user: UserFeatures
    at: int
    items: ItemIndex
    weights: ClickWeights
    allowed: BoolArray
    acted: IntArray = field(default_factory=_no_rows)
    released: Released = field(default_factory=nothing_released)
    context: Mapping[str, Any] = field(default_factory=dict)

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
        return self.items.standings.at(self.at)

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
        schema = self.items.schema
        disliked = {item_id for item_id, _, kind, centi in self.latest if schema.weight(kind, centi) < 0}
        return self._known_rows(
            item_id
            for item_id, _, kind, centi in self.latest
            if item_id not in disliked and schema.is_interest(kind, centi)
        )

    def liked(self, count: int, fade: float) -> tuple[IntArray, FloatArray]:
        """(rows [k], shares [k]) of the newest `count` positive items, oldest first; the newest has 1, each older one `fade`
        of the next."""
        rows = self._sequence
        return newest_known(rows, np.ones(len(rows), bool), count, self.size, _shares(count, fade), ONE)

    def sources(self, count: int, fade: float, not_positive: float = NOT_POSITIVE) -> tuple[IntArray, FloatArray]:
        """(rows [k], shares [k]) of the newest `count` items that lead to others, oldest first: the positive ones, and by time
        among them those of the newest acts that go by their value and were not positive. The newest has 1, each older one `fade`
        of the next; one that is not positive has `not_positive` of what a positive would have there."""
        return newest_known(*self._sources, count, self.size, _shares(count, fade), np.float32(not_positive))

    @cached_property
    def _sources(self) -> tuple[IntArray, BoolArray]:
        """(rows [k], whether positive [k]) of the positive items and of those taken lately and not liked, by time; row −1 for
        those that the catalogue does not have."""
        positive = {item_id for item_id, _ in self.user.sequence}
        by_value = self.items.schema.by_value
        others = {
            item_id: ts for item_id, ts, kind, _ in self.user.recent if kind in by_value and item_id not in positive
        }
        if not others:
            return self._sequence, np.ones(len(self._sequence), bool)
        row_of = self.items.row_of
        rows = np.concatenate([self._sequence, np.array([row_of.get(item_id, -1) for item_id in others], np.int64)])
        liked = np.arange(len(rows)) < len(self._sequence)
        order = np.argsort([*(ts for _, ts in self.user.sequence), *others.values()], kind="stable")
        return rows[order], liked[order]

    @cached_property
    def _sequence(self) -> IntArray:
        """[k] rows of the positive items, oldest first; −1 for those that the catalogue does not have."""
        row_of = self.items.row_of
        return np.array([row_of.get(item_id, -1) for item_id, _ in self.user.sequence], np.int64)

    def _known_rows(self, item_ids: Iterable[ItemId]) -> IntArray:
        row_of, size = self.items.row_of, self.size
        rows = [row for item_id in item_ids if 0 <= (row := row_of.get(item_id, -1)) < size]
        return np.array(rows, np.int64)


@lru_cache(4096)
def _shares(count: int, fade: float) -> FloatArray:
    """[count] powers of `fade`, from 1 down. Nobody changes them."""
    return np.asarray(fade ** np.arange(count, dtype=np.float32), np.float32)
