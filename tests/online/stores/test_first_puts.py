"""The items that were put last are found step by step; they are what a look at all of them finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from online.stores.first_puts import NEW_FOR_MS, NEWEST, FirstPuts

ROWS = NEWEST + 50
"""More than may count, so that some do not."""
CHANGES = st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, 9), st.booleans()), max_size=60)
"""(row, when it was first put, 0: deleted, whether the newest are asked for then)."""


@given(CHANGES, st.booleans())
def test_the_newest_are_those_that_were_put_last(changes: list[tuple[int, int, bool]], many: bool) -> None:
    puts = FirstPuts(ROWS - 20)
    puts.grow(20)
    for row in range(ROWS if many else 5):
        puts.put(row, 2 + row % 3)
    puts.newest(9)
    for row, at, is_read in changes:
        puts.put(row, at)
        if is_read:
            assert puts.newest(9).tolist() == by_all(puts)
    assert puts.newest(9).tolist() == by_all(puts)


def by_all(puts: FirstPuts) -> list[int]:
    """The newest, by a sort of all that were put."""
    return sorted(np.flatnonzero(puts.at).tolist(), key=lambda row: (int(puts.at[row]), row), reverse=True)[:NEWEST]


def test_more_than_may_count_can_come_at_once() -> None:
    puts = FirstPuts(3 * NEWEST)
    assert puts.newest(9).tolist() == []
    for row in range(3 * NEWEST):
        puts.put(row, 1 + row)
    assert puts.newest(9).tolist() == by_all(puts)


def test_nothing_stays_new() -> None:
    puts = FirstPuts(2)
    puts.put(1, 5)
    assert puts.newest(5 + NEW_FOR_MS).tolist() == [1]
    assert puts.newest(6 + NEW_FOR_MS).tolist() == []
