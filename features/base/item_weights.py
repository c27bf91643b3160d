"""Weights between items: item → its nearest others, for a whole catalogue. 12 bytes a neighbour in memory.

As arrays, which `features.base.reader` reads and `offline.item_weights.build` writes:

items    int64 [n], ascending: the items that have neighbours
starts   int64 [n + 1]: those of items[k] are starts[k] … starts[k + 1] − 1
others   int64 [m]: the neighbours, best first
weights  float32 [m]
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, FloatArray, IntArray
from features.errors import Broken
from features.recall.compiled import scratch
from features.recall.sparse import run_sums

ARRAYS: Final = {"items": np.int64, "starts": np.int64, "others": np.int64, "weights": np.float32}
"""By name and type, in this order."""


class Relations:
    """The weights of a catalogue whose items stand in rows; what names an item that has no row is left out.

    `rows` are the ids of the rows, in the order of rows. Raises Broken where the arrays don't fit together.
    """

    def __init__(
        self, rows: IntArray, items: IntArray, starts: IntArray, others: IntArray, weights: FloatArray
    ) -> None:
        if len(starts) != len(items) + 1 or len(others) != len(weights) or (len(starts) and starts[-1] != len(others)):
            raise Broken(f"weights between items: {len(items)} items, {len(starts)} starts, {len(others)} neighbours")
        order = np.argsort(rows, kind="stable")
        sources, present = rows_of(items, rows, order)
        columns, known = rows_of(others, rows, order)
        counts = np.diff(starts)
        known &= np.repeat(present, counts)
        self._others = columns[known].astype(np.int32)
        self._weights = np.array(weights[known], np.float32)  # a copy, as what comes from a mapped file is read-only
        left = np.add.reduceat(np.r_[known, False], starts[:-1]) if len(items) else np.zeros(0, np.int64)
        left = np.where(counts > 0, left, 0)
        self._at = np.zeros(len(rows), np.int64)
        self._count = np.zeros(len(rows), np.int64)
        ends = np.cumsum(left)
        self._at[sources[present]] = (ends - left)[present]
        self._count[sources[present]] = left[present]

    def near(self, row: int) -> tuple[npt.NDArray[np.int32], FloatArray]:
        """(rows, weights) of a row's neighbours, best first."""
        if row >= len(self._at):  # an item newer than these weights
            return self._others[:0], self._weights[:0]
        start = self._at[row]
        end = start + self._count[row]
        return self._others[start:end], self._weights[start:end]

    def spread(self, rows: IntArray, shares: FloatArray, allowed: BoolArray) -> IntArray:
        """For each allowed row of the catalogue the sum of its weights to `rows` [k], each times its share [k]: the keys
        (`features.recall.sparse`) of those above 0."""
        room = scratch(len(self._at))
        sums = self._at, self._count, self._others, self._weights, rows, shares, allowed
        return run_sums(*sums, room.sums, room.touched)


def rows_of(ids: IntArray, rows: IntArray, order: IntArray) -> tuple[IntArray, BoolArray]:
    """(row, whether there is one) of each id."""
    if not len(rows):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
    index = np.minimum(np.searchsorted(rows, ids, sorter=order), len(rows) - 1)
    found = order[index]
    return found, rows[found] == ids
