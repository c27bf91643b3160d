"""Facets of all items, sparse: for each value the rows of its items, as arrays; a filter costs as much as its values have items.

The arrays are made of the whole catalogue at once; rows that have changed since stand in a small overlay, which is taken into
the arrays when it has grown to a share of them.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray
from features.types import Item

Rows = npt.NDArray[np.int32]
Filter = tuple[str, str]
"""(facet, value)."""
NO_ROWS: Final[Rows] = np.zeros(0, np.int32)
MIN_OVERLAY: Final = 1_024
MAX_VALUES: Final = 1_000
"""Values of a facet that are named in one answer."""
OVERLAY_SHARE: Final = 4
"""The overlay is taken in when it has more than one in so many of the rows that have a value."""


class _Packed:
    """The values of one facet as arrays, and what has changed since they were made.

    names, number_of  the values by number, and back
    rows, starts      rows[starts[k] : starts[k + 1]] have value k
    is_changed        [rows] True where a row has changed: the arrays do not count for it
    changed           row → the numbers of its values, of changed rows
    added             number → the changed rows that have it
    """

    def __init__(self, names: list[str], rows: Rows, numbers: Rows) -> None:
        """Of pairs (row, number of a value)."""
        self.names = names
        self.number_of = {name: number for number, name in enumerate(names)}
        self.rows: Rows = rows[np.argsort(numbers, kind="stable")]
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=len(names)))])
        self.is_changed: BoolArray = np.zeros(int(rows.max(initial=-1)) + 1, bool)
        self.changed: dict[int, tuple[int, ...]] = {}
        self.added: dict[int, set[int]] = {}

    def number(self, value: str) -> int:
        """The number of a value, a new one where it has none."""
        number = self.number_of.setdefault(value, len(self.names))
        if number == len(self.names):
            self.names.append(value)
        return number

    def unchanged(self, is_changed: BoolArray) -> tuple[Rows, Rows]:
        """The pairs (row, number) of the arrays that still hold, where these rows have changed."""
        numbers = np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), np.diff(self.starts))
        holds = ~is_changed[self.rows]
        return self.rows[holds], numbers[holds]


@dataclass(frozen=True)
class FacetCounts:
    """How many items have each value of a facet, of the values that any has; each list has at most MAX_VALUES.

    total    how many values there are
    by_name  (value, items) of the first ones by name
    largest  (value, items) of those of the most items, those first
    """

    total: int
    by_name: list[tuple[str, int]]
    largest: list[tuple[str, int]]


class Counting:
    """Counts the items of each value as they were when this was made, in whatever thread."""

    def __init__(self, packed: _Packed) -> None:
        """What may change meanwhile is copied: names are only added to, and a row's place in the arrays stays."""
        self._packed, self._size, self._is_changed = packed, len(packed.names), packed.is_changed.copy()
        self._added = np.fromiter(packed.added, np.int64, len(packed.added))
        self._more = np.fromiter(map(len, packed.added.values()), np.int64, len(packed.added))

    def count(self) -> FacetCounts:
        """The counts. Values are looked at one by one: a sort of all of them would let no other thread go on until its end."""
        counts = np.bincount(self._packed.unchanged(self._is_changed)[1], minlength=self._size)
        counts[self._added] += self._more
        used, names = np.flatnonzero(counts).tolist(), self._packed.names
        by_name = nsmallest(MAX_VALUES, ((names[number], int(counts[number])) for number in used))
        largest = nsmallest(MAX_VALUES, ((-int(counts[number]), names[number]) for number in used))
        return FacetCounts(len(used), by_name, [(name, -less) for less, name in largest])


class _Pairs:
    """The pairs (row, value) of one facet while a catalogue is read."""

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}
        self._rows, self._numbers = array("i"), array("i")

    def add(self, row: int, values: Sequence[str]) -> None:
        for value in values:
            self._rows.append(row)
            self._numbers.append(self._number_of.setdefault(value, len(self._number_of)))

    def index(self) -> "FacetIndex":
        packed = _Packed(list(self._number_of), np.array(self._rows, np.int32), np.array(self._numbers, np.int32))
        return FacetIndex(packed)


class FacetIndex:
    """The values of one facet, by `facet_index`. 4 bytes for each value of each item, and what the names of the values take. A
    search may read it in another thread: what is read together is replaced together."""

    def __init__(self, packed: _Packed) -> None:
        self._packed = packed

    def put(self, row: int, values: Sequence[str]) -> None:
        """Replace the values of a row; a row beyond the last is new."""
        packed = self._packed
        for number in packed.changed.get(row, ()):
            packed.added[number].discard(row)
        numbers = packed.changed[row] = tuple(packed.number(value) for value in values)
        for number in numbers:
            packed.added.setdefault(number, set()).add(row)
        if row < len(packed.is_changed):
            packed.is_changed[row] = True
        if len(packed.changed) > max(MIN_OVERLAY, len(packed.rows) // OVERLAY_SHARE):
            self._packed = _taken_in(packed)

    def rows(self, value: str) -> Rows:
        """The rows that have a value, in no order; none for a value that there is not."""
        packed = self._packed
        number = packed.number_of.get(value)
        if number is None:
            return NO_ROWS
        rows = NO_ROWS  # for a value that came after the arrays were made
        if number + 1 < len(packed.starts):
            rows = packed.rows[packed.starts[number] : packed.starts[number + 1]]
            rows = rows[~packed.is_changed[rows]]
        added = packed.added.get(number)
        return np.concatenate([rows, np.fromiter(added, np.int32)]) if added else rows

    def counting(self) -> "Counting":
        """What counts the items of each value, as they are now."""
        return Counting(self._packed)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self._packed.rows.nbytes + self._packed.starts.nbytes + self._packed.is_changed.nbytes


def _taken_in(packed: _Packed) -> _Packed:
    """The same with the changes in its arrays; values that no item has any more are forgotten."""
    rows, numbers = packed.unchanged(packed.is_changed)
    changed = [(row, number) for row, each in packed.changed.items() for number in each]
    more = np.array(changed, np.int32).reshape(-1, 2)
    used, numbers = np.unique(np.concatenate([numbers, more[:, 1]]), return_inverse=True)
    names = [packed.names[number] for number in used]
    return _Packed(names, np.concatenate([rows, more[:, 0]]), numbers.astype(np.int32))


def facet_index(values_by_row: Iterable[Sequence[str]]) -> FacetIndex:
    """The index of the values of each row."""
    pairs = _Pairs()
    for row, values in enumerate(values_by_row):
        pairs.add(row, values)
    return pairs.index()


class Facets:
    """All facets of a catalogue, by name; `items` by row, None where the catalogue has no entry."""

    def __init__(self, names: Iterable[str], items: Iterable[Item | None]) -> None:
        pairs = {name: _Pairs() for name in names}
        for row, item in enumerate(items):
            for name, each in pairs.items():
                each.add(row, _values(item, name))
        self.by_name = {name: each.index() for name, each in pairs.items()}

    def put(self, row: int, item: Item | None) -> None:
        """Replace the values of a row's item."""
        for name, index in self.by_name.items():
            index.put(row, _values(item, name))

    def mask(self, filters: Iterable[Filter], size: int) -> BoolArray:
        """[size] whether a row has, of each facet that is filtered by, one of the values. Raises KeyError for a facet that there
        is not."""
        matches = np.ones(size, bool)
        wanted: dict[str, list[str]] = {}
        for name, value in filters:
            wanted.setdefault(name, []).append(value)
        for name, values in wanted.items():
            having = np.zeros(size, bool)
            for value in values:
                rows = self.by_name[name].rows(value)
                having[rows[rows < size]] = True
            matches &= having
        return matches


def _values(item: Item | None, name: str) -> tuple[str, ...]:
    return () if item is None or item.deleted else item.facets.get(name, ())
