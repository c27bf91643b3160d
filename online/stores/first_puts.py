"""When each item was first put, by row, and the items that were put last: what a list costs does not grow with the catalogue,
however fast items come."""

from typing import Final

import numpy as np

from features.arrays import IntArray
from features.types import Millis
from features.units import DAY_MS

NEWEST: Final = 1000
"""Items that count as new at most, those put last."""
NEW_FOR_MS: Final = 30 * DAY_MS


class FirstPuts:
    """When items were first put.

    at      int64 [N]: the home's clock, ms; 0: the item came with the data set, or there is none
    newest  the rows of the NEWEST items that were put last, as they were found last
    later   rows whose time rose since
    """

    def __init__(self, size: int) -> None:
        self.at: IntArray = np.zeros(size, np.int64)
        self._newest: IntArray | None = None
        self._later: list[int] = []

    def grow(self, more: int) -> None:
        self.at = np.concatenate([self.at, np.zeros(more, np.int64)])

    def put(self, row: int, at: Millis) -> None:
        """Set when the item of a row was first put; 0: it is no item any more."""
        before = int(self.at[row])
        self.at[row] = at
        if self._newest is None or at == before:
            return
        if at > before:
            self._later.append(row)
        if len(self._later) > NEWEST or (at < before and row in self._newest):  # an older one may count in its stead
            self._newest, self._later = None, []

    def newest(self, now: Millis) -> IntArray:
        """Rows of items first put in the NEW_FOR_MS before `now` (ms), newest first, of those put at once the later row first; of
        more than NEWEST the newest."""
        if self._newest is None:
            self._newest = self._last(np.flatnonzero(self.at))
        elif self._later:
            self._newest, self._later = self._last(np.union1d(self._newest, self._later)), []
        return self._newest[now - self.at[self._newest] <= NEW_FOR_MS]

    def _last(self, rows: IntArray) -> IntArray:
        """[≤ NEWEST] of these rows those of items that were put last, the newest first."""
        rows = rows[self.at[rows] > 0]
        if len(rows) > NEWEST:
            rows = rows[self.at[rows] >= np.partition(self.at[rows], -NEWEST)[-NEWEST]]
        newest: IntArray = rows[np.lexsort((rows, self.at[rows]))[::-1][:NEWEST]]
        return newest
