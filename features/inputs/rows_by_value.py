"""The facets of a catalogue the other way round: which rows have a value. Made when it is first wanted; rows that change
afterwards stand beside it, until they are so many that it is made anew.

It takes 4 bytes for each value of each item, and 8 for each value.
"""

from array import array
from typing import Final

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.recall.compiled import NumberArray, compiled, scratch
from features.recall.sparse import ROW_BITS
from features.recall.whole_order import BLOCK, Runs, highest, keep_best

CHANGED: Final = 1024
CHANGED_SHARE: Final = 64
"""It is made anew when more rows have changed than these, and than one in so many."""


@compiled
def inverted(runs: Runs, size: int) -> tuple[IntArray, NumberArray]:
    """(starts [size + 1], rows): rows[starts[v] : starts[v + 1]] have the value v."""
    starts, counts, values = runs
    bounds = np.zeros(size + 1, np.int64)
    for row in range(len(counts)):
        for at in range(starts[row], starts[row] + counts[row]):
            bounds[values[at] + 1] += 1
    bounds = np.cumsum(bounds)
    following, rows = bounds.copy(), np.empty(bounds[size], np.int32)
    for row in range(len(counts)):
        for at in range(starts[row], starts[row] + counts[row]):
            rows[following[values[at]]] = row
            following[values[at]] += 1
    return bounds, rows


@compiled
def how_many(bounds: IntArray, numbers: IntArray) -> int:
    """How many rows have the values with these numbers, counted once for each value; newer ones have none."""
    total = 0
    for number in numbers:
        if number + 1 < len(bounds):
            total += bounds[number + 1] - bounds[number]
    return total


@compiled
def is_first_of(number: int, row: int, runs: Runs, weights: FloatArray) -> bool:
    """Whether a value is the first one of its row that has a weight: by the others of them the row is met, too."""
    starts, counts, values = runs
    for index in range(starts[row], starts[row] + counts[row]):
        if values[index] < len(weights) and weights[values[index]] > 0:
            return bool(values[index] == number)
    return False


@compiled
def best_having(
    bounds: IntArray,
    by_value: NumberArray,
    numbers: IntArray,
    changed: IntArray,
    marks: NumberArray,
    runs: Runs,
    weights: FloatArray,
    factors: FloatArray,
    allowed: BoolArray,
    limit: int,
) -> IntArray:
    """Keys as `features.recall.whole_order.best_weighted` gives, of the rows that have one of the values, by their numbers: those
    that have a weight. changed: rows whose values may be others than in `by_value`. marks: all 0, before and after."""
    keys, block, bound = np.empty(2 * limit + BLOCK, np.int64), np.empty(BLOCK, np.int64), np.empty(1, np.float32)
    bits, largest = bound.view(np.int32), highest(weights)
    used, worst, count = 0, 0, 0
    if largest == 0 or limit == 0:
        return keys[:0]
    for row in changed:
        if marks[row]:
            continue
        marks[row], block[count] = 1, row
        count += 1
        if count == BLOCK:
            used, worst = keep_best(keys, used, worst, block, runs, weights, factors, allowed, limit)
            count = 0
    for number in numbers:
        if number + 1 >= len(bounds):
            continue
        for at in range(bounds[number], bounds[number + 1]):
            row = by_value[at]
            if row >= len(allowed) or not allowed[row]:
                continue
            bound[0] = largest * factors[row]
            if bits[0] < -(worst >> ROW_BITS) or marks[row]:
                continue
            if not is_first_of(number, row, runs, weights):
                continue
            block[count] = row
            count += 1
            if count == BLOCK:
                used, worst = keep_best(keys, used, worst, block, runs, weights, factors, allowed, limit)
                count = 0
    used, worst = keep_best(keys, used, worst, block[:count], runs, weights, factors, allowed, limit)
    for row in changed:
        marks[row] = 0
    return keys[:used]


class RowsByValue:
    """The rows of each value of a table with so many rows."""

    def __init__(self) -> None:
        self._bounds: IntArray | None = None
        self._rows: NumberArray = np.zeros(0, np.int32)
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
        """Returns keys as `best_having`; None where it would look at more than `max_rows` rows, each as often as it has a value
        with a weight, or has changed. runs: of the table as it is; value_count: how many values it knows."""
        row_count, numbers = len(runs.counts), np.flatnonzero(weights)
        if self._bounds is None or len(self._changed) > max(CHANGED, row_count // CHANGED_SHARE):
            self._bounds, self._rows = inverted(runs, value_count)
            self._changed = array("q")
        if how_many(self._bounds, numbers) + len(self._changed) > max_rows:
            return None
        changed = np.array(self._changed, np.int64)
        return best_having(
            self._bounds, self._rows, numbers, changed, scratch(row_count).first, runs, weights, factors, allowed, limit
        )
