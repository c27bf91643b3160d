"""Numbers and times of all items as columns: 8 bytes for each of them and each item, whatever values there are. A filter by a
range costs one or two comparisons of arrays."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from features.arrays import BoolArray
from features.schema.declarations import Attribute, Number
from features.types import Item

NO_TIME: Final = -1
"""Stands where an item has no time: times begin with 0."""


class Range(NamedTuple):
    """The values of an attribute from `low` to `high`, both included; None: without a bound."""

    name: str
    low: Number | None
    high: Number | None


class NumberColumns:
    """A column for each number (NaN: none) and each time (NO_TIME: none) that the schema declares, by row."""

    def __init__(self, declared: Mapping[str, Attribute], size: int) -> None:
        self._columns: dict[str, Any] = {}
        for name, each in declared.items():
            if each.type == "number":
                self._columns[name] = np.full(size, np.nan)
            elif each.type == "time":
                self._columns[name] = np.full(size, NO_TIME, np.int64)

    @property
    def names(self) -> list[str]:
        """The attributes that have a column, in the schema's order."""
        return list(self._columns)

    def is_whole(self, name: str) -> bool:
        """Whether an attribute's values are whole numbers: times are."""
        return bool(self._columns[name].dtype == np.int64)

    def grow(self, more: int) -> None:
        """Make room for more rows."""
        for name, column in self._columns.items():
            none = NO_TIME if self.is_whole(name) else np.nan
            self._columns[name] = np.concatenate([column, np.full(more, none, column.dtype)])

    def put(self, row: int, item: Item | None) -> None:
        """Replace the values of a row's item."""
        for name, column in self._columns.items():
            value = None if item is None else item.values.get(name)
            column[row] = (NO_TIME if self.is_whole(name) else np.nan) if value is None else value

    def mask(self, ranges: Iterable[Range], size: int) -> BoolArray:
        """[size] whether a row's values lie within all ranges; a row without a value lies in none. Raises KeyError for an
        attribute that has no column."""
        matches = np.ones(size, bool)
        for name, low, high in ranges:
            column = self._columns[name][:size]
            lowest = 0 if self.is_whole(name) else -np.inf  # of all values: what stands for none is not among them
            matches &= column >= (lowest if low is None else max(low, lowest))
            if high is not None:
                matches &= column <= high
        return matches
