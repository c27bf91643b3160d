"""A whole order of a catalogue that is kept while items change: most rows stand where they stood when it was sorted last; those
that have moved since stand in a short order of their own. A walk goes along both."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, FloatArray, IntArray
from features.recall.compiled import NumberArray, compiled
from features.recall.sparse import ROW_BITS, best, keys_of

SETTLE_AT: Final = 1024
"""Moved rows at which the order is merged anew: a walk looks at each of them once at most, a merge at every row."""
MarkArray = npt.NDArray[np.uint8]


class Runs(NamedTuple):
    """The values of each row: values[starts[row]], … (counts[row] of them). Without starts each row has the one value
    values[row]."""

    starts: IntArray
    counts: NumberArray
    values: NumberArray


@compiled
def stronger(strengths: FloatArray, row: int, other: int) -> bool:
    """Whether a row comes before another one."""
    return bool(strengths[row] > strengths[other] or (strengths[row] == strengths[other] and row < other))


@compiled
def next_rows(
    settled: IntArray,
    moved: IntArray,
    is_moved: MarkArray,
    strengths: FloatArray,
    start: int,
    moved_start: int,
    out: IntArray,
) -> tuple[int, int, int]:
    """(count, start, moved_start): fill `out` with the next rows of both orders, and say where the walk goes on."""
    count = 0
    while count < len(out):
        while start < len(settled) and is_moved[settled[start]]:
            start += 1
        if start == len(settled) and moved_start == len(moved):
            break
        from_moved = moved_start < len(moved) and (
            start == len(settled) or stronger(strengths, moved[moved_start], settled[start])
        )
        if from_moved:
            out[count] = moved[moved_start]
            moved_start += 1
        else:
            out[count] = settled[start]
            start += 1
        count += 1
    return count, start, moved_start


@compiled
def walk(
    settled: IntArray, moved: IntArray, is_moved: MarkArray, strengths: FloatArray, allowed: BoolArray, limit: int
) -> IntArray:
    """[≤ limit] the first rows that are allowed."""
    out, one = np.empty(limit, np.int64), np.empty(1, np.int64)
    used, start, moved_start = 0, 0, 0
    while used < limit:
        count, start, moved_start = next_rows(settled, moved, is_moved, strengths, start, moved_start, one)
        if count == 0:
            break
        if one[0] < len(allowed) and allowed[one[0]]:
            out[used] = one[0]
            used += 1
    return out[:used]


@compiled
def mean_weight(starts: IntArray, counts: NumberArray, values: NumberArray, weights: FloatArray, row: int) -> float:
    """The mean weight of a row's values (`Runs`); those that are newer than the weights have none."""
    if len(starts) == 0:
        return float(weights[values[row]]) if values[row] < len(weights) else 0.0
    total = 0.0
    for at in range(starts[row], starts[row] + counts[row]):
        if values[at] < len(weights):
            total += weights[values[at]]
    return float(np.float32(total) / float(max(counts[row], 1)))


@compiled
def weighted_rows(
    starts: IntArray,
    counts: NumberArray,
    values: NumberArray,
    weights: FloatArray,
    factors: FloatArray,
    rows: IntArray,
    allowed: BoolArray,
) -> FloatArray:
    """[n] the mean weight of each row's values times its factor; 0 for those that are not allowed."""
    out = np.zeros(len(rows), np.float32)
    for at in range(len(rows)):
        row = rows[at]
        if row < len(allowed) and allowed[row]:
            out[at] = mean_weight(starts, counts, values, weights, row) * factors[row]
    return out


@compiled
def push(heap: IntArray, count: int, key: int) -> int:
    """Put a key on a heap of the smallest ones, its first `count` keys, the largest on top; returns how many there are now. A
    full heap loses its largest key."""
    if count < len(heap):
        at = count
        while at and heap[(at - 1) // 2] < key:
            heap[at] = heap[(at - 1) // 2]
            at = (at - 1) // 2
        heap[at] = key
        return count + 1
    if key < heap[0]:
        at, below = 0, 1
        while below < count:
            if below + 1 < count and heap[below + 1] > heap[below]:
                below += 1
            if heap[below] <= key:
                break
            heap[at] = heap[below]
            at, below = below, 2 * below + 1
        heap[at] = key
    return count


@compiled
def best_weighted(
    settled: IntArray,
    moved: IntArray,
    is_moved: MarkArray,
    strengths: FloatArray,
    starts: IntArray,
    counts: NumberArray,
    values: NumberArray,
    weights: FloatArray,
    factors: FloatArray,
    allowed: BoolArray,
    limit: int,
) -> IntArray:
    """[≤ limit] keys (`features.recall.sparse`), in no order, of the allowed rows with the largest mean weights of their values
    times their factors."""
    largest = np.float32(0)
    for weight in weights:
        largest = max(largest, weight)
    heap, one, product = np.empty(limit, np.int64), np.empty(1, np.int64), np.empty(1, np.float32)
    bits = product.view(np.int32)
    used, start, moved_start = 0, 0, 0
    while largest > 0 and limit > 0:
        count, start, moved_start = next_rows(settled, moved, is_moved, strengths, start, moved_start, one)
        row = one[0]
        if count == 0:
            break
        if used == limit:
            product[0] = largest * (1 + 1e-6) * factors[row]
            if bits[0] < -(heap[0] >> ROW_BITS):  # not even the largest weight makes it one of the best
                break
        if row < len(allowed) and allowed[row]:
            product[0] = mean_weight(starts, counts, values, weights, row) * factors[row]
            if product[0] > 0:
                used = push(heap, used, (-np.int64(bits[0]) << ROW_BITS) | row)
    return heap[:used]


@compiled
def merged(settled: IntArray, moved: IntArray, is_moved: MarkArray, strengths: FloatArray) -> IntArray:
    """[m] both orders as one."""
    out = np.empty(len(settled) + len(moved), np.int64)
    count, _, _ = next_rows(settled, moved, is_moved, strengths, 0, 0, out)
    return out[:count]


class WholeOrder:
    """The rows with a strength above 0, the strongest first, ties by row.

    strengths: [N], which who keeps them changes in place, and then says `move` of the rows that changed.
    """

    def __init__(self, strengths: FloatArray, settle_at: int = SETTLE_AT) -> None:
        self._settled: IntArray = _sorted(np.arange(len(strengths)), strengths)
        self._strengths, self._settle_at = strengths, settle_at
        self._moved: IntArray = np.zeros(0, np.int64)
        self._rows_moved: IntArray = self._moved
        """The moved rows, those that have no strength any more among them; `_moved` is in order, and without these."""
        self._is_moved: MarkArray = np.zeros(len(strengths), np.uint8)

    def move(self, rows: IntArray) -> None:
        """Note that the strengths of rows, each named once, are others now."""
        self._rows_moved = np.concatenate([self._rows_moved, rows[self._is_moved[rows] == 0]])
        self._is_moved[rows] = 1
        self._moved = _sorted(self._rows_moved, self._strengths)
        if len(self._rows_moved) > self._settle_at:
            self._settled = merged(self._settled, self._moved, self._is_moved, self._strengths)
            self._is_moved[self._rows_moved] = 0
            self._moved = self._rows_moved = np.zeros(0, np.int64)

    def best(self, allowed: BoolArray, limit: int) -> IntArray:
        """The first `limit` rows that are allowed [≤ N]."""
        return walk(self._settled, self._moved, self._is_moved, self._strengths, allowed, limit)

    def best_weighted(
        self, runs: Runs, weights: FloatArray, factors: FloatArray, allowed: BoolArray, limit: int
    ) -> IntArray:
        """The first `limit` allowed rows by the mean weight of their values, times the row's factor [N], where that is above 0;
        ties by row.

        Factors never rise along the order, so that the walk ends where the largest weight is not enough (as in R. Fagin,
        A. Lotem, M. Naor, Optimal Aggregation Algorithms for Middleware, PODS 2001).
        """
        keys = best_weighted(
            self._settled, self._moved, self._is_moved, self._strengths, *runs, weights, factors, allowed, limit
        )
        return best(keys, limit)


def _sorted(rows: IntArray, strengths: FloatArray) -> IntArray:
    """Those of the rows with a strength [N] above 0, in their order."""
    return best(keys_of(rows, strengths[rows], np.ones(len(strengths), bool)), len(rows))
