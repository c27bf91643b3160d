"""Nearest items by inner product: a set of vectors, and in which row of the store each vector's item is.

The set is the same in all processes of a machine, and may be shared by them; the rows are each process' own, since items that
came after the base are in rows by when the process has read of them.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, FloatArray, IntArray
from features.recall.row_bits import Bits, RowNumbers, bits_of_rows
from online.vectors.vector_sets import VectorSet

NO_ROW: Final = -1
"""Stands for the row of an item that the store does not have."""


class VectorIndex:
    """The vectors of a set [n] whose items are in `rows` [n] of the store, each row once, NO_ROW of those that it does not have.
    Built off the event loop; searched and changed on it."""

    def __init__(self, rows: IntArray, held: VectorSet) -> None:
        self._set, self.width, self.exact = held, held.width, held.exact
        octets = -(-len(held) // 8)
        self._rows: RowNumbers = np.zeros(8 * octets, np.uint32)
        self._known: Bits = np.zeros(octets, np.uint8)
        self._index_of_row: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._end = self._count = 0
        present = np.flatnonzero(rows != NO_ROW)
        self.assign(present, rows[present])

    def __len__(self) -> int:
        return self._count

    def search(self, query: FloatArray, limit: int, allowed: BoolArray) -> tuple[IntArray, FloatArray]:
        """(rows, inner products) of the best allowed items, best first, at most `limit`; ties by row. allowed: [N] by row; rows
        beyond it are not allowed."""
        indices, scores = self._set.nearest(query, limit, self._allowed(allowed))
        return _best(self._rows[indices].astype(np.int64), scores, limit)

    def vectors(self, rows: IntArray) -> tuple[BoolArray, FloatArray]:
        """(which of the k rows have a vector [k], their vectors)."""
        known = rows < len(self._index_of_row)
        known[known] = self._index_of_row[rows[known]] >= 0
        return known, self._set.vectors(self._index_of_row[rows[known]].astype(np.int64))

    def assign(self, indices: IntArray, rows: IntArray) -> None:
        """Note that the items of vectors which had no row are in these rows now."""
        self._rows[indices] = rows
        np.bitwise_or.at(self._known, indices >> 3, (1 << (indices & 7)).astype(np.uint8))
        self._end = max(self._end, int(rows.max(initial=-1)) + 1)
        if (lacking := self._end - len(self._index_of_row)) > 0:
            more = np.full(lacking + self._end // 8, NO_ROW, np.int32)
            self._index_of_row = np.concatenate([self._index_of_row, more])
        self._index_of_row[rows] = indices
        self._count += len(rows)

    def _allowed(self, allowed: BoolArray) -> Bits:
        """Which vectors are of allowed items."""
        if (lacking := max(self._end, 1) - len(allowed)) > 0:
            allowed = np.concatenate([allowed, np.zeros(lacking, bool)])
        return bits_of_rows(allowed, self._rows, self._known)


def _best(rows: IntArray, scores: FloatArray, limit: int) -> tuple[IntArray, FloatArray]:
    """The best `limit`, best first; ties by row, also at the cut-off."""
    if limit < len(scores):
        threshold = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        near = np.flatnonzero(scores >= threshold)
        rows, scores = rows[near], scores[near]
    order = np.lexsort((rows, -scores))[:limit]
    return rows[order], scores[order]
