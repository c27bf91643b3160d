"""The index of rows is a dictionary: whatever is put and removed, each number has its row, and no other has one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.kernel.row_index import NOT_FOUND, put_row, remove_row, row_of

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 40) | st.integers(0, 9).map(lambda number: number << 32)


@given(st.lists(st.tuples(NUMBERS, st.none() | st.integers(0, 23)), max_size=24))
def test_it_is_a_dictionary(steps: list[tuple[int, int | None]]) -> None:
    """Of a step: the number that is put, and the step whose number goes then."""
    numbers, index = np.array([number for number, _ in steps], np.int64), np.zeros(32, np.int32)
    rows: dict[int, int] = {}
    for row, (number, gone) in enumerate(steps):
        rows[number] = row
        put_row(index, numbers, row)
        if gone is not None and (row_of_gone := rows.pop(steps[gone % (row + 1)][0], None)) is not None:
            remove_row(index, numbers, row_of_gone)
        for known, _ in steps:
            assert row_of(index, numbers, known) == rows.get(known, NOT_FOUND)
