"""Rows of items: found by their items, whatever comes and goes; what has changed stays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.kernel.item_table import ItemTable
from features.kernel.row_index import NOT_FOUND

ids = st.lists(st.one_of(st.integers(0, 40), st.integers(-(1 << 63), (1 << 63) - 1)), min_size=1, max_size=30)


def gone_of(table: ItemTable, rows: dict[int, int]) -> set[int]:
    """Which items have no row any more."""
    left = table.find(np.array([*rows], np.int64)).tolist()
    assert all(found in (row, NOT_FOUND) for row, found in zip(rows.values(), left, strict=True))
    return {item_id for item_id, row in zip(rows, left, strict=True) if row == NOT_FOUND}


@given(st.lists(st.tuples(ids, st.integers(0, 60)), max_size=30))
def test_a_table_is_a_dictionary_that_lets_go_of_what_was_used_longest_ago(turns: list[tuple[list[int], int]]) -> None:
    table, rows, used, times = ItemTable(), dict[int, int](), dict[int, int](), dict[int, int]()
    for turn, (items, limit) in enumerate(turns):
        for item_id in items:
            if item_id not in rows:
                rows[item_id], times[item_id] = table.add(item_id, -1), -1
            used[item_id], times[item_id] = turn, max(times[item_id], turn)
        some = np.array([rows[item_id] for item_id in items])
        assert sorted(table.change(some, turn).tolist()) == sorted(set(some.tolist()))
        assert not len(table.change(some, turn))
        assert len(table) == len(rows)
        assert not gone_of(table, rows)
        assert table.find(np.array([1 << 50])).tolist() == [NOT_FOUND]
        assert table.broker_ts[[*rows.values()]].tolist() == [times[item_id] for item_id in rows]
        table.shrink(limit)
        gone = gone_of(table, rows)
        assert not gone & set(items), "what has changed stays"
        fewest = max(len(set(items)), limit - limit // 10)
        assert len(rows) - len(gone) == (len(rows) if len(rows) <= limit else min(len(rows), fewest))
        assert all(used[one] <= used[other] for one in gone for other in rows.keys() - gone)
        for item_id in gone:
            del rows[item_id], used[item_id], times[item_id]
        table.settle(some)


def test_a_table_grows() -> None:
    table = ItemTable()
    rows = [table.add(item_id, item_id) for item_id in range(0, -5000, -1)]
    assert table.find(np.arange(0, -5000, -1)).tolist() == rows
    assert table.broker_ts[rows].tolist() == list(range(0, -5000, -1))
