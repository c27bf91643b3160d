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
BLOCK: Final = 64
"""Rows that a walk takes at a time: a call of another compiled function costs as much as some ten of them."""
MarkArray = npt.NDArray[np.uint8]


class Runs(NamedTuple):
    """The values of each row: values[starts[row]], … (counts[row] of them). Without starts each row has the one value
    values[row]."""

    starts: IntArray
    counts: NumberArray
    values: NumberArray


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
        if moved_start < len(moved) and (
            start == len(settled)
            or strengths[moved[moved_start]] > strengths[settled[start]]
            or (strengths[moved[moved_start]] == strengths[settled[start]] and moved[moved_start] < settled[start])
        ):
            out[count] = moved[moved_start]
            moved_start += 1
        elif start < len(settled):
            out[count] = settled[start]
            start += 1
        else:
            break
        count += 1
    return count, start, moved_start


@compiled
def walk(
    settled: IntArray, moved: IntArray, is_moved: MarkArray, strengths: FloatArray, allowed: BoolArray, limit: int
) -> IntArray:
    """[≤ limit] the first rows that are allowed."""
    out, block = np.empty(limit, np.int64), np.empty(BLOCK, np.int64)
    used, start, moved_start, count = 0, 0, 0, BLOCK
    while used < limit and count == BLOCK:
        count, start, moved_start = next_rows(settled, moved, is_moved, strengths, start, moved_start, block)
        for at in range(count):
            row = block[at]
            if used < limit and row < len(allowed) and allowed[row]:
                out[used] = row
                used += 1
    return out[:used]


@compiled
def weighted_rows(
    runs: Runs,
    weights: FloatArray,
    factors: FloatArray,
    rows: IntArray,
    allowed: BoolArray,
) -> FloatArray:
    """[n] the mean weight of each row's values times its factor; 0 for those that are not allowed. Values that are newer
    than the weights have none."""
    starts, counts, values = runs
    out = np.zeros(len(rows), np.float32)
    for at in range(len(rows)):
        row = rows[at]
        if row >= len(allowed) or not allowed[row]:
            continue
        start, count = (starts[row], counts[row]) if len(starts) else (row, 1)
        total = 0.0
        for index in range(start, start + count):
            if values[index] < len(weights):
                total += weights[values[index]]
        out[at] = np.float32(total) / float(max(count, 1)) * factors[row]
    return out


@compiled
def select(keys: IntArray, limit: int) -> None:
    """Put the `limit` smallest keys first, the largest of these last (C. A. R. Hoare, Algorithm 65: FIND, CACM 1961). NumPy's
    partition takes four seconds to compile."""
    low, high, last = 0, len(keys) - 1, limit - 1
    while low < high:
        pivot, start, end = keys[(low + high) // 2], low, high
        while start <= end:
            while keys[start] < pivot:
                start += 1
            while keys[end] > pivot:
                end -= 1
            if start <= end:
                keys[start], keys[end] = keys[end], keys[start]
                start += 1
                end -= 1
        if last <= end:
            high = end
        elif last >= start:
            low = start
        else:
            break


@compiled
def keep_best(
    keys: IntArray, used: int, worst: int, rows: IntArray, values: FloatArray, allowed: BoolArray, limit: int
) -> tuple[int, int]:
    """(used, worst): put the keys of those rows that are allowed and whose value is above 0 after the first `used` ones of keys
    [2 · limit], and whenever these are full keep the best `limit` (1 or more) alone, of which `worst` is the last; 0 before there
    are any."""
    bits = values.view(np.int32)
    floor = -(worst >> ROW_BITS)
    for at in range(len(rows)):
        if bits[at] <= 0 or bits[at] < floor:
            continue
        row = rows[at]
        if row >= len(allowed) or not allowed[row]:
            continue
        keys[used] = (-np.int64(bits[at]) << ROW_BITS) | row
        used += 1
        if used == len(keys):
            select(keys, limit)
            used, worst = limit, keys[limit - 1]
            floor = -(worst >> ROW_BITS)
    return used, worst


@compiled
def highest(weights: FloatArray) -> float:
    """A little more than the largest weight, 0 where none is above 0: what no mean of weights is above, however it is rounded."""
    largest = np.float32(0)
    for weight in weights:
        largest = max(largest, weight)
    return float(largest) * (1 + 1e-6)


@compiled
def best_weighted(
    settled: IntArray,
    moved: IntArray,
    is_moved: MarkArray,
    strengths: FloatArray,
    runs: Runs,
    weights: FloatArray,
    factors: FloatArray,
    allowed: BoolArray,
    limit: int,
) -> IntArray:
    """Keys (`features.recall.sparse`), in no order, of allowed rows by the mean weights of their values times their factors, the
    best `limit` among them."""
    keys, block, bound = np.empty(2 * limit, np.int64), np.empty(BLOCK, np.int64), np.empty(1, np.float32)
    bits, largest = bound.view(np.int32), highest(weights)
    used, worst, start, moved_start, count = 0, 0, 0, 0, BLOCK if largest > 0 and limit > 0 else 0
    while count == BLOCK:
        count, start, moved_start = next_rows(settled, moved, is_moved, strengths, start, moved_start, block)
        if count:
            bound[0] = largest * factors[block[0]]
            if bits[0] < -(worst >> ROW_BITS):  # not even the largest weight makes one of these one of the best
                break
        rows = block[:count]
        products = weighted_rows(runs, weights, factors, rows, allowed)
        used, worst = keep_best(keys, used, worst, rows, products, allowed, limit)
    return keys[:used]


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
            self._settled, self._moved, self._is_moved, self._strengths, runs, weights, factors, allowed, limit
        )
        return best(keys, limit)


def _sorted(rows: IntArray, strengths: FloatArray) -> IntArray:
    """Those of the rows with a strength [N] above 0, in their order."""
    return best(keys_of(rows, strengths[rows], np.ones(len(strengths), bool)), len(rows))
