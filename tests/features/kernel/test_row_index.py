"""The index of rows is a dictionary: whatever is put and removed, each number has its row, and no other has one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.kernel.row_index import NOT_FOUND, put_row, remove_row, row_of

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 40) | st.integers(0, 9).map(lambda number: number << 32)


@given(st.lists(st.tuples(NUMBERS, st.booleans()), max_size=20))
def test_it_is_a_dictionary(steps: list[tuple[int, bool]]) -> None:
    numbers, index = np.array([number for number, _ in steps], np.int64), np.zeros(32, np.int32)
    rows: dict[int, int] = {}
    for row, (number, stays) in enumerate(steps):
        rows[number] = row
        put_row(index, numbers, row)
        if not stays:
            remove_row(index, numbers, rows.pop(number))
        for known, _ in steps:
            assert row_of(index, numbers, known) == rows.get(known, NOT_FOUND)
