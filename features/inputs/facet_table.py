"""The facet values of a catalogue's items, kept sparse: 12 bytes an item, 4 for each value that it has, a quarter of room above,
and 6 more for each once rows are wanted by value.

Values have numbers in the order in which they came, which never change. What an item has is a run in two long arrays, as in a
matrix in compressed rows; a run that has to grow moves to the end, and what it leaves behind is swept up in time.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.inputs.facet_vocabulary import Vocabulary
from features.inputs.rows_by_value import RowsByValue
from features.recall.compiled import NumberArray
from features.recall.whole_order import Runs

VOCABULARIES: Final = 16
"""Vocabularies whose columns are remembered, those used last."""
_NO_NUMBERS: Final = np.zeros(0, np.int32)


class FacetTable:
    """The values of each row. names: all values that any row ever had, by number."""

    def __init__(self, size: int) -> None:
        self.names: list[str] = []
        self._number_of: dict[str, int] = {}
        self._starts: IntArray = np.zeros(size, np.int64)
        self._counts: NumberArray = np.zeros(size, np.int32)
        self._values: NumberArray = _NO_NUMBERS
        self._used = 0
        self._held = 0
        self._columns: dict[Vocabulary, NumberArray] = {}
        self._by_value = RowsByValue()

    def __len__(self) -> int:
        return len(self._counts)

    def grow(self, more: int) -> None:
        """Add room for `more` rows."""
        self._starts = np.concatenate([self._starts, np.zeros(more, np.int64)])
        self._counts = np.concatenate([self._counts, np.zeros(more, np.int32)])

    def number_of(self, name: str) -> int | None:
        """The number of a value; None for one that no row ever had."""
        return self._number_of.get(name)

    def put(self, row: int, names: Iterable[str]) -> None:
        """Replace a row's values. A new value gets the next number."""
        numbers = [self._known(name) for name in dict.fromkeys(names)]
        start, before = int(self._starts[row]), int(self._counts[row])
        if self._values[start : start + before].tolist() == numbers:
            return
        self._by_value.note(row)
        self._held += len(numbers) - before
        if len(numbers) > before:
            self._counts[row] = 0
            self._make_room(len(numbers))
            start, self._used = self._used, self._used + len(numbers)
        self._values[start : start + len(numbers)] = numbers
        self._starts[row], self._counts[row] = start, len(numbers)

    def _known(self, name: str) -> int:
        number = self._number_of.get(name)
        if number is None:
            number = self._number_of[name] = len(self.names)
            self.names.append(name)
        return number

    def _make_room(self, more: int) -> None:
        """Have room for `more` values at the end: by sweeping up where a quarter is free, else by a quarter more."""
        if self._used + more <= len(self._values):
            return
        if self._used > self._held + self._held // 4:
            self._sweep()
        if self._used + more > len(self._values):
            wider = np.zeros(max(1024, more, len(self._values) // 4), np.int32)
            self._values = np.concatenate([self._values, wider])

    def _sweep(self) -> None:
        rows = np.arange(len(self))
        values, starts = self.of(rows)
        self._values[: len(values)] = values
        self._starts, self._used = starts[:-1], len(values)

    def of(self, rows: IntArray) -> tuple[NumberArray, IntArray]:
        """(values [m], starts [n + 1]): the numbers of the values of each of `rows` [n], one row after the other; those of
        rows[k] are values[starts[k] : starts[k + 1]]."""
        counts = self._counts[rows]
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(counts, out=starts[1:])
        return self._values[np.arange(starts[-1]) + np.repeat(self._starts[rows] - starts[:-1], counts)], starts

    def counts(self, rows: IntArray | slice) -> NumberArray:
        """[n] how many values each row has."""
        return self._counts[rows]

    def sums(self, rows: IntArray, numbers: IntArray, weights: FloatArray) -> FloatArray:
        """[n] for each of `rows` the sum of the weights of its values: weights [k] of the values with these numbers [k], which
        ascend; others weigh nothing. What it costs does not depend on how many values there are."""
        if not len(numbers):
            return np.zeros(len(rows), np.float32)
        values, starts = self.of(rows)
        at = np.minimum(np.searchsorted(numbers, values), len(numbers) - 1)
        weighed = np.where(numbers[at] == values, weights[at], 0)
        owners = np.repeat(np.arange(len(rows)), np.diff(starts))
        return np.bincount(owners, weighed, len(rows)).astype(np.float32)

    @property
    def runs(self) -> Runs:
        """The values of each row, by their numbers, as they stand until the next `put`."""
        return Runs(self._starts, self._counts, self._values)

    def best_having(
        self, weights: FloatArray, factors: FloatArray, allowed: BoolArray, limit: int, max_rows: int
    ) -> IntArray | None:
        """Keys (`features.recall.sparse`), in no order, of allowed rows by the mean weights [V] of their values times their
        factors [N], the best `limit` among them; None where more than `max_rows` rows would be looked at (`RowsByValue.best`)."""
        return self._by_value.best(self.runs, len(self.names), max_rows, weights, factors, allowed, limit)

    def columns_of(self, vocabulary: Vocabulary) -> NumberArray:
        """[V] the column of each value, by number."""
        known = self._columns.pop(vocabulary, _NO_NUMBERS)
        if len(known) < len(self.names):
            column_of = {name: at for at, name in enumerate(vocabulary)}
            new = [column_of.get(name, len(vocabulary)) for name in self.names[len(known) :]]
            known = np.concatenate([known, np.array(new, np.int32)])
        self._columns[vocabulary] = known  # the one used last comes last
        if len(self._columns) > VOCABULARIES:
            del self._columns[next(iter(self._columns))]
        return known
