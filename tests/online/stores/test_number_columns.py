"""Ranges of numbers and times, against Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.schema.declarations import Attribute
from features.types import Item
from online.stores.number_columns import NumberColumns, Range

DECLARED = {"price": Attribute("number"), "brand": Attribute("facet"), "since": Attribute("time")}
NUMBERS = st.integers(-5, 5) | st.floats(-1e15, 1e15)
VALUES = st.fixed_dictionaries({}, optional={"price": NUMBERS, "since": st.integers(0, 2**63 - 1) | st.integers(0, 5)})


@given(
    st.lists(st.tuples(st.integers(0, 9), st.none() | VALUES), max_size=30),
    st.lists(
        st.builds(Range, st.just("price"), st.none() | NUMBERS, st.none() | NUMBERS)
        | st.builds(Range, st.just("since"), st.none() | st.integers(-5, 10**18), st.none() | st.integers(-5, 10**18)),
        max_size=3,
    ),
)
def test_a_mask_has_what_lies_within_all_ranges(
    puts: list[tuple[int, dict[str, float] | None]], ranges: list[Range]
) -> None:
    columns, now = NumberColumns(DECLARED, 4), dict[int, dict[str, float]]()
    columns.grow(6)
    for row, values in puts:
        columns.put(row, None if values is None else Item(row, "x", {}, dict(values)))
        now[row] = values or {}

    def within(values: dict[str, float], name: str, low: float | None, high: float | None) -> bool:
        value = values.get(name)
        return value is not None and (low is None or low <= value) and (high is None or value <= high)

    expected = [all(within(now.get(row, {}), *each) for each in ranges) for row in range(10)]
    assert columns.mask(ranges, 10).tolist() == expected
    assert columns.mask(ranges, 3).tolist() == expected[:3]


def test_there_is_a_column_for_each_number_and_time_alone() -> None:
    columns = NumberColumns(DECLARED, 1)
    assert columns.names == ["price", "since"]
    assert (columns.is_whole("price"), columns.is_whole("since")) == (False, True)
    with pytest.raises(KeyError):
        columns.mask([Range("brand", 0, 1)], 1)
    assert np.array_equal(columns.mask([], 1), [True])
