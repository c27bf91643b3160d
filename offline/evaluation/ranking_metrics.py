"""Metrics of an evaluation: the ranks of the answers in the lists of a method, and measures with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from features.arrays import BoolArray, DoubleArray, IntArray
from features.units import DAY_MS, SECOND_MS, ends_session
from models.training.row_metrics import TOP, rank_gains

NO_RANK: Final = 1 << 30
NO_ITEM: Final = -1
RESAMPLES: Final = 1_000
MEASURES: Final = ("hr", "ndcg", "mrr")
OF_USERS: Final = "{} of users"
"""Name of a measure's mean over users, of the means over the queries of each."""


@dataclass
class Queries:
    """One row for each query. wanted: the item that came next; times: when, ms;
    gaps: ms since the user's event before, −1 where there is none; events: that the user had before;
    ages: ms since the item's first event; pages: the page, from 0."""

    users: list[int] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    ages: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)

    def add(self, user_id: int, item_id: int, ts: int, gap: int, events: int, age: int, page: int) -> None:
        self.users.append(user_id)
        self.wanted.append(item_id)
        self.times.append(ts)
        self.gaps.append(gap)
        self.events.append(events)
        self.ages.append(age)
        self.pages.append(page)

    def slices(self) -> dict[str, BoolArray]:
        """Masks of the queries in each group, by the name of the group."""
        columns = (self.times, self.gaps, self.events, self.ages)
        times, gaps, events, ages = (np.asarray(values, np.int64) for values in columns)
        starts = np.array([gap < 0 or ends_session(gap) for gap in self.gaps], bool)
        return {
            "all": np.ones(len(gaps), bool),
            "session starts": starts,
            "same second": (gaps >= 0) & (times // SECOND_MS == (times - gaps) // SECOND_MS),
            "no event before": events == 0,
            "1-5 before": (events > 0) & (events <= 5),
            "6-20 before": (events > 5) & (events <= 20),
            "21-100 before": (events > 20) & (events <= 100),
            "more before": events > 100,
            "item new for 30 days": ages <= 30 * DAY_MS,
            "item older": ages > 30 * DAY_MS,
        }


def as_list(item_ids: Sequence[int] | IntArray) -> IntArray:
    """[TOP] ids of a list's items, best first, NO_ITEM where it has no more."""
    out = np.full(TOP, NO_ITEM, np.int64)
    out[: len(item_ids[:TOP])] = item_ids[:TOP]
    return out


def ranks_of(lists: IntArray, wanted: Sequence[int]) -> IntArray:
    """[A] for each query, from lists [A, TOP]: the rank of the item that came next (from 0), NO_RANK where its list lacks it."""
    found = lists == np.asarray(wanted, np.int64)[:, None]
    return np.where(found.any(1), found.argmax(1), NO_RANK)


@dataclass(frozen=True)
class Measure:
    """A mean, and the interval in which 95 % of resamplings of users put it (a user's queries go together)."""

    mean: float
    low: float
    high: float


class Bootstrap:
    """Intervals of means by resampling groups of values, such as the queries of a user: values of one group are alike.

    groups  [A] numbers of the groups
    """

    def __init__(self, groups: IntArray, seed: int = 7) -> None:
        known, self._group = np.unique(groups, return_inverse=True)
        counts = np.bincount(self._group).astype(np.float64)
        rng = np.random.default_rng(seed)
        self._drawn = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), RESAMPLES).astype(np.float64)
        self._weights = np.maximum(self._drawn @ counts, 1)

    def measure(self, values: DoubleArray) -> Measure:
        """The mean of [A] values, and its interval."""
        means = (self._drawn @ np.bincount(self._group, values)) / self._weights
        return _measure(float(values.mean()), means)

    def measure_of_groups(self, values: DoubleArray) -> Measure:
        """The mean over groups of the mean of each one's values, however many they are, and its interval."""
        own = np.bincount(self._group, values) / np.bincount(self._group)
        return _measure(float(own.mean()), (self._drawn @ own) / len(own))


def _measure(mean: float, resampled: DoubleArray) -> Measure:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Measure(mean, float(low), float(high))


def measure(ranks: IntArray, users: IntArray, seed: int = 7) -> dict[str, Measure]:
    """hr, ndcg and mrr at 10 over queries, and under OF_USERS the means over users; empty where there are none. The interval is a
    bootstrap over users."""
    if not len(ranks):
        return {}
    bootstrap, gains = Bootstrap(users, seed), rank_gains(ranks)
    of_users = {OF_USERS.format(name): bootstrap.measure_of_groups(values) for name, values in gains.items()}
    return {name: bootstrap.measure(values) for name, values in gains.items()} | of_users
