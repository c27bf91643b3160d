"""The facets of a catalogue the other way round: which rows have a value. Made when it is first wanted; rows that change
afterwards stand beside it, until they are so many that it is made anew.

It takes 4 bytes for each value of each item, and 8 for each value.
"""

from array import array
from typing import Final

import numpy as np

from features.arrays import IntArray
from features.recall.compiled import NumberArray, compiled, scratch
from features.recall.whole_order import Runs

CHANGED: Final = 1024
CHANGED_SHARE: Final = 64
"""It is made anew when more rows have changed than these, and than one in so many."""


@compiled
def inverted(starts: IntArray, counts: NumberArray, values: NumberArray, size: int) -> tuple[IntArray, NumberArray]:
    """(starts [size + 1], rows): rows[starts[v] : starts[v + 1]] have the value v."""
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
def distinct_rows(
    bounds: IntArray, rows: NumberArray, numbers: IntArray, changed: IntArray, marks: NumberArray
) -> IntArray:
    """The rows that have one of the values, and those that have changed, each once. marks: all 0, before and after."""
    out = np.empty(how_many(bounds, numbers) + len(changed), np.int64)
    used = 0
    for row in changed:
        if not marks[row]:
            marks[row], out[used] = 1, row
            used += 1
    for number in numbers:
        if number + 1 < len(bounds):
            for at in range(bounds[number], bounds[number + 1]):
                if not marks[rows[at]]:
                    marks[rows[at]], out[used] = 1, rows[at]
                    used += 1
    for at in range(used):
        marks[out[at]] = 0
    return out[:used]


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

    def having(self, numbers: IntArray, limit: int, runs: Runs, values: int) -> IntArray | None:
        """Returns the rows that have one of the values with these numbers, and perhaps some that have none, each once and in no
        order; None where there are more than `limit`. runs, values: of the table as it is, and how many values it knows."""
        size = len(runs.counts)
        if self._bounds is None or len(self._changed) > max(CHANGED, size // CHANGED_SHARE):
            self._bounds, self._rows = inverted(*runs, values)
            self._changed = array("q")
        if how_many(self._bounds, numbers) + len(self._changed) > limit:
            return None
        changed = np.array(self._changed, np.int64)
        return distinct_rows(self._bounds, self._rows, numbers, changed, scratch(size).first)
