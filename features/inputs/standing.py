"""What items alone decide of signals and recall, on a day: popularities, roots of them, whole orders. Users do not change it, so
it is made once and serves all requests until an item changes or a day ends.

Every value is the one that the function it stands for gives: a request with it and one without give the same bits.
"""

from functools import cached_property
from typing import Final

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.inputs.columns import LIKED, ItemColumns, popularity, trending
from features.types import Millis
from features.units import DAY_MS

FIRST_WALK: Final = 1024
"""Rows of a whole order that are looked at first; most users have seen few of them."""
REUSED: Final = 2
"""A whole order is made when it is asked for so many times: where items change with each moment, as in a walk through history,
the best rows alone cost less."""


class Standing:
    """The first `size` items of a catalogue as of a day. N items."""

    def __init__(self, columns: ItemColumns, size: int, at: Millis) -> None:
        self._columns, self._size, self._at = columns, size, at
        self._arrays: dict[tuple[float, bool], FloatArray] = {}
        self._uses: dict[str, int] = {}
        self._orders: dict[str, IntArray] = {}

    @cached_property
    def is_cold(self) -> bool:
        """Whether no item has been liked yet, so that there is nothing to learn from."""
        return not self._columns.popularities[: self._size, LIKED].any()

    def popularity(self, half_life_days: float, positives: bool) -> FloatArray:
        """[N] as `features.inputs.columns.popularity`."""
        key = half_life_days, positives
        if key not in self._arrays:
            self._arrays[key] = popularity(self._columns, slice(0, self._size), self._at, half_life_days, positives)
        return self._arrays[key]

    @cached_property
    def popular_day(self) -> FloatArray:
        """[N] positives, halved every day; events of any kind where nothing has been liked yet."""
        return self.popularity(1.0, not self.is_cold)

    @cached_property
    def popular(self) -> FloatArray:
        """[N] the same, halved every 14 days."""
        return self.popularity(14.0, not self.is_cold)

    @cached_property
    def root(self) -> FloatArray:
        """[N] the square root of `popular`."""
        return np.asarray(np.sqrt(self.popular), np.float32)

    @cached_property
    def damping(self) -> FloatArray:
        """[N] what damps an item that everybody likes."""
        return np.asarray(np.sqrt(1 + self.popular), np.float32)

    @cached_property
    def trending(self) -> FloatArray:
        """[N] as `features.inputs.columns.trending`."""
        return trending(self.popularity(1.0, False), self.popularity(14.0, False))

    @cached_property
    def newest(self) -> FloatArray:
        """[N] the year of release, and a part of a year for being liked; 0 without a year."""
        years = self._columns.years[: self._size]
        return np.where(years > 0, years + self.popular / (1 + self.popular), 0).astype(np.float32)

    @cached_property
    def decades(self) -> IntArray:
        """[N] years by tens; 0 without a year."""
        return self._columns.years[: self._size] // 10

    @cached_property
    def values(self) -> IntArray:
        """[N] how many facet values each has, 1 for none."""
        return np.maximum(self._columns.facets.counts(slice(0, self._size)), 1)

    def best(self, name: str, strengths: FloatArray, allowed: BoolArray, limit: int) -> IntArray:
        """`best_rows` of the allowed rows [N] by strengths [N] that are of this standing, known as `name`: a walk along their
        whole order, once that is kept."""
        if name not in self._orders:
            self._uses[name] = self._uses.get(name, 0) + 1
            if self._uses[name] < REUSED:
                return best_rows(np.where(allowed, strengths, np.float32(0)), limit)
            rows = np.flatnonzero(strengths > 0)
            self._orders[name] = rows[np.argsort(-strengths[rows], kind="stable")]
        return _walk(self._orders[name], allowed, limit)


class Standings:
    """The newest standing of a catalogue."""

    def __init__(self, columns: ItemColumns) -> None:
        self._columns = columns
        self._key = (-1, -1, -1)
        self._standing = Standing(columns, 0, 0)

    def at(self, at: Millis, size: int) -> Standing:
        """The standing of the first `size` items as of a time (ms)."""
        key = at // DAY_MS, self._columns.changes, size
        if key != self._key:
            self._key, self._standing = key, Standing(self._columns, size, at)
        return self._standing


def best_rows(strengths: FloatArray, limit: int) -> IntArray:
    """Rows with a strength above 0, best first, at most `limit`; ties by row."""
    if limit < len(strengths):
        threshold = np.partition(strengths, len(strengths) - limit)[len(strengths) - limit]
        rows = np.flatnonzero((strengths > 0) & (strengths >= threshold))
    else:
        rows = np.flatnonzero(strengths > 0)
    return rows[np.argsort(-strengths[rows], kind="stable")][:limit]


def _walk(order: IntArray, allowed: BoolArray, limit: int) -> IntArray:
    """The first `limit` allowed rows of an order."""
    length = FIRST_WALK
    while True:
        rows = order[:length]
        found: IntArray = rows[allowed[rows]]
        if len(found) >= limit or length >= len(order):
            return found[:limit]
        length *= 4
