"""Rows of items over Flink's state: whatever leaves memory in between, they are what the specification says."""

from typing import Any

import numpy as np
import pytest

from features.fold.co_visits import Pairs, encode_neighbours
from features.kernel.pairs.pair_kernel import PairKernel
from streaming.operators.row_cache import RowCache
from tests.streaming.operators.test_user_cache import States


def cache_over(flink: Any, limit: int) -> RowCache[PairKernel]:
    base = {4: Pairs(4)}
    base[4].fold(1, 1, 9, 256)
    stored = {item_id: pairs.encode() for item_id, pairs in base.items()}
    return RowCache(PairKernel(), flink.map_by_id("pairs"), stored.get, limit)


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_what_left_memory_comes_back(limit: int) -> None:
    flink: Any = States()
    cache, expected = cache_over(flink, limit), {item_id: Pairs(item_id) for item_id in range(8)}
    expected[4].fold(1, 1, 9, 256)
    for step in range(1, 30):
        if step == 20:  # a restart
            cache = cache_over(flink, limit)
        pending = cache.rows_of(np.array([7]))  # of another lane: it stays until that lane is stored
        cache.kernel.table.change(pending, step)
        cache.kernel.fold(pending, np.array([[7, step, step, 9, 256]]))
        expected[7].fold(step, step, 9, 256)
        ids = np.array(sorted({step % 5, step * 3 % 5}))
        rows = cache.rows_of(ids)
        cache.kernel.table.change(rows, step)
        cache.kernel.fold(rows, np.array([[item_id, step, step, 9, 256] for item_id in ids]))
        for item_id in ids.tolist():
            expected[item_id].fold(step, step, 9, 256)
        assert cache.store(rows) == [expected[item_id].encode() for item_id in ids.tolist()]
        assert list(cache.kernel.neighbours(rows)) == [
            encode_neighbours(expected[item_id].neighbours()) for item_id in ids.tolist()
        ]
        for other in range(100 + step, 103 + step):
            cache.rows_of(np.array([other, 7]))
        assert list(cache.kernel.states(pending)) == [expected[7].encode()]
        assert len(cache.kernel.table) <= limit + 6
        cache.store(pending)
    rows = cache.rows_of(np.arange(5))
    assert cache.kernel.table.broker_ts[rows].tolist() == [
        max(step for step in range(1, 30) if item_id in (step % 5, step * 3 % 5)) for item_id in range(5)
    ]
    assert list(cache.kernel.states(rows)) == [expected[item_id].encode() for item_id in range(5)]
