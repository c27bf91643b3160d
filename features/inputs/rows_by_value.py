"""The facets of a catalogue the other way round: which rows have a value. Made when it is first wanted; rows that change
afterwards stand beside it, until they are so many that it is made anew.

It takes 6 bytes for each value of each item, and 8 for each value.
"""

from array import array
from typing import Final

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from features.recall.compiled import NumberArray, compiled, scratch
from features.recall.whole_order import Runs, keep_best, weighted_rows

CountArray = npt.NDArray[np.int16]
CHANGED: Final = 1024
CHANGED_SHARE: Final = 64
"""It is made anew when more rows have changed than these, and than one in so many."""


@compiled
def inverted(runs: Runs, size: int) -> tuple[IntArray, NumberArray, CountArray]:
    """(starts [size + 1], rows, shares): rows[starts[v] : starts[v + 1]] have the value v, each as one of so many."""
    starts, counts, values = runs
    bounds = np.zeros(size + 1, np.int64)
    for row in range(len(counts)):
        for at in range(starts[row], starts[row] + counts[row]):
            bounds[values[at] + 1] += 1
    bounds = np.cumsum(bounds)
    following, rows, shares = bounds.copy(), np.empty(bounds[size], np.int32), np.empty(bounds[size], np.int16)
    for row in range(len(counts)):
        for at in range(starts[row], starts[row] + counts[row]):
            rows[following[values[at]]], shares[following[values[at]]] = row, counts[row]
            following[values[at]] += 1
    return bounds, rows, shares


@compiled
def how_many(bounds: IntArray, numbers: IntArray) -> int:
    """How many rows have the values with these numbers, counted once for each value; newer ones have none."""
    total = 0
    for number in numbers:
        if number + 1 < len(bounds):
            total += bounds[number + 1] - bounds[number]
    return total


@compiled
def best_having(
    bounds: IntArray,
    by_value: NumberArray,
    shares: CountArray,
    numbers: IntArray,
    changed: IntArray,
    runs: Runs,
    weights: FloatArray,
    factors: FloatArray,
    allowed: BoolArray,
    limit: int,
    sums: DoubleArray,
    touched: IntArray,
) -> IntArray:
    """Keys as `features.recall.whole_order.best_weighted` gives, of the rows that have one of the values, by their numbers: those
    that have a weight. changed: rows, each once, whose values may be others than in `by_value`. touched: has room for one more
    than there are rows.

    Weights are added row by row as the values' rows are met, so that of a row nothing is read but its sum and its
    factor: what takes the time is memory that is read all over."""
    keys, used = np.empty(2 * limit, np.int64), 0
    if limit == 0:
        return keys
    share_of = np.empty(how_many(bounds, numbers), np.int16)
    for number in numbers:
        if number + 1 < len(bounds):
            for at in range(bounds[number], bounds[number + 1]):
                row = by_value[at]
                touched[used], share_of[used] = row, shares[at]
                used += sums[row] == 0
                sums[row] += weights[number]
    for row in changed:
        sums[row] = 0.0
    means = np.empty(used, np.float32)
    for at in range(used):
        row = touched[at]
        means[at] = np.float32(sums[row]) / float(share_of[at]) * factors[min(row, len(factors) - 1)]
        sums[row] = 0.0
    filled, worst = keep_best(keys, 0, 0, touched[:used], means, allowed, limit)
    of_changed = weighted_rows(runs, weights, factors, changed, allowed)
    filled, _ = keep_best(keys, filled, worst, changed, of_changed, allowed, limit)
    return keys[:filled]


class RowsByValue:
    """The rows of each value of a table with so many rows."""

    def __init__(self) -> None:
        self._bounds: IntArray | None = None
        self._rows: NumberArray = np.zeros(0, np.int32)
        self._shares: CountArray = np.zeros(0, np.int16)
        self._changed = array("q")

    def note(self, row: int) -> None:
        """Note that a row has other values now."""
        if self._bounds is not None:
            self._changed.append(row)

    def best(
        self,
        runs: Runs,
        value_count: int,
        max_rows: int,
        weights: FloatArray,
        factors: FloatArray,
        allowed: BoolArray,
        limit: int,
    ) -> IntArray | None:
        """Returns keys as `best_having`, of the values with a weight; None where it would look at more than `max_rows` rows, each
        as often as it has such a value, or has changed. runs: of the table as it is; value_count: how many values it knows."""
        row_count, numbers = len(runs.counts), np.flatnonzero(weights)
        if self._bounds is None or len(self._changed) > max(CHANGED, row_count // CHANGED_SHARE):
            self._bounds, self._rows, self._shares = inverted(runs, value_count)
            self._changed = array("q")
        if how_many(self._bounds, numbers) + len(self._changed) > max_rows:
            return None
        changed, room = np.unique(np.array(self._changed, np.int64)), scratch(row_count + 1)
        parts = self._bounds, self._rows, self._shares, numbers, changed, runs, weights, factors, allowed, limit
        return best_having(*parts, room.sums, room.touched)
