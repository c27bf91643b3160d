"""What items alone decide of signals and recall, on a day: popularities, roots of them, whole orders. Users do not change it, so
it is kept for all requests, and what an item changes is renewed for that item alone.

Every value is the one that the function it stands for gives.
"""

from typing import Final

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.inputs.columns import LIKED, ItemColumns, popularity, trending
from features.recall.compiled import NumberArray
from features.recall.whole_order import Runs, WholeOrder
from features.types import Millis
from features.units import DAY_MS

RETAINED: Final = 2
"""Days whose standing is kept, those asked for last: now, and one that a request names."""
DECADES: Final = 1000
"""Decades there are: later years than 9,999 count as of the last one."""
NO_STARTS: Final = np.zeros(0, np.int64)
NO_NUMBERS: Final = np.zeros(0, np.int32)


class Standing:
    """The items of a catalogue as of a day. N rows, with room for items to come, which are nowhere.

    popular_day  float32 [N]: positives, halved every day; events of any kind where nothing has been liked yet
    popular      float32 [N]: the same, halved every 14 days
    root         float32 [N]: the square root of `popular`
    damping      float32 [N]: what damps an item that everybody likes
    trending     float32 [N]: as `features.inputs.columns.trending`
    newest       float32 [N]: the year of release, and a part of a year for being liked; of items that have no years the day on
                 which they came out, and a part of a day; 0 where neither is known, or that day is still to come
    decades      int32 [N]: years by tens; 0 without a year
    everything   bool [N]: True
    is_cold      whether no item has been liked yet, so that there is nothing to learn from
    """

    def __init__(self, columns: ItemColumns, at: Millis) -> None:
        self._columns, self._at = columns, at
        self._changes, self.is_cold = 0, True
        self._make()

    def renew(self) -> None:
        """Take in what has changed of the columns since."""
        changed = self._columns.changed_since(self._changes)
        if changed is None or len(self._columns) != len(self._liked):
            self._make()
        elif len(changed):
            self._changes = self._columns.changes
            self._set(changed)
            if self.is_cold == self._liked.any():
                self._make()
            for order in self._orders.values():
                order.move(changed)

    def _make(self) -> None:
        columns = self._columns
        size, self._changes = len(columns), columns.changes
        self._orders: dict[str, WholeOrder] = {}
        self._liked: BoolArray = np.zeros(size, bool)
        self.is_cold = not columns.popularities[:, LIKED].any()
        self.popular_day: FloatArray = np.zeros(size, np.float32)
        self.popular: FloatArray = np.zeros(size, np.float32)
        self.root: FloatArray = np.zeros(size, np.float32)
        self.damping: FloatArray = np.zeros(size, np.float32)
        self.trending: FloatArray = np.zeros(size, np.float32)
        self.newest: FloatArray = np.zeros(size, np.float32)
        self.decades: NumberArray = np.zeros(size, np.int32)
        self.everything: BoolArray = np.ones(size, bool)
        self._set(slice(0, size))

    def _set(self, rows: IntArray | slice) -> None:
        columns, at = self._columns, self._at
        day = popularity(columns, rows, at, 1.0, positives=False)
        weeks = popularity(columns, rows, at, 14.0, positives=False)
        self.trending[rows] = trending(day, weeks)
        if not self.is_cold:
            day = popularity(columns, rows, at, 1.0, positives=True)
            weeks = popularity(columns, rows, at, 14.0, positives=True)
        years, dated = columns.years[rows], columns.dated[rows]
        self._liked[rows] = columns.popularities[rows][:, LIKED].any(axis=1)
        self.popular_day[rows], self.popular[rows] = day, weeks
        self.root[rows] = np.sqrt(weeks)
        self.damping[rows] = np.sqrt(1 + weeks)
        ages = np.where(years > 0, years, np.where(dated // DAY_MS <= at // DAY_MS, dated // DAY_MS + 1, 0))
        self.newest[rows] = np.where(ages > 0, ages + weeks / (1 + weeks), 0)
        self.decades[rows] = np.minimum(years // 10, DECADES - 1)

    @property
    def by_decade(self) -> Runs:
        """The decade of each row."""
        return Runs(NO_STARTS, NO_NUMBERS, self.decades)

    def order(self, name: str) -> WholeOrder:
        """The whole order by popular_day, popular, trending or newest; made when it is first asked for."""
        if name not in self._orders:
            self._orders[name] = WholeOrder(getattr(self, name))
        return self._orders[name]


class Standings:
    """The standings of a catalogue on the days that were asked for last."""

    def __init__(self, columns: ItemColumns) -> None:
        self._columns = columns
        self._by_day: dict[int, Standing] = {}

    def at(self, at: Millis) -> Standing:
        """The standing as of a time (ms), with all changes of items so far: it changes with the next call."""
        day = at // DAY_MS
        standing = self._by_day.pop(day, None)
        if standing is None:
            standing = Standing(self._columns, at)
        else:
            standing.renew()
        self._by_day[day] = standing  # the one asked for last comes last
        if len(self._by_day) > RETAINED:
            del self._by_day[next(iter(self._by_day))]
        return standing
