"""A kept order gives what sorting gives, however many rows have moved since it was sorted."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import BoolArray, FloatArray
from features.recall.whole_order import Runs, WholeOrder, select

SIZE = 30


def expected(strengths: FloatArray, allowed: BoolArray, limit: int) -> list[int]:
    strong = [row for row in range(min(len(strengths), len(allowed))) if allowed[row] and strengths[row] > 0]
    return sorted(strong, key=lambda row: (-strengths[row], row))[:limit]


values = st.integers(-1, 4)
moves = st.lists(st.dictionaries(st.integers(0, SIZE - 1), values, min_size=1, max_size=6), max_size=12)


@given(
    st.lists(values, min_size=SIZE, max_size=SIZE),
    moves,
    st.lists(st.booleans(), min_size=SIZE - 3, max_size=SIZE),
    st.integers(0, SIZE + 2),
    st.integers(0, 12),
)
def test_it_gives_what_sorting_gives_after_any_moves(
    first: list[int], changes: list[dict[int, int]], allowed: list[bool], limit: int, settle_at: int
) -> None:
    strengths, some = np.array(first, np.float32), np.array(allowed)
    order = WholeOrder(strengths, settle_at)
    for moved in ({}, *changes):
        rows = np.array(sorted(moved), np.int64)
        strengths[rows] = [moved[row] for row in sorted(moved)]
        order.move(rows)
        assert order.best(some, limit).tolist() == expected(strengths, some, limit)


@given(st.integers(0, 1 << 30), st.integers(1, 40), st.booleans())
def test_the_best_by_weight_are_those_of_all_rows(seed: int, limit: int, one_each: bool) -> None:
    """The values that weigh most are those of rows that are less popular."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 4 * 1000))
    popular = np.where(rng.random(size) < 0.9, rng.integers(1, 50, size), 0).astype(np.float32)
    factors, allowed = np.sqrt(popular), rng.random(size) < 0.7
    weights = np.sort(np.where(rng.random(7) < 0.7, rng.random(7), 0)).astype(np.float32)
    counts = rng.integers(0, 4, size).astype(np.int32)
    starts = np.cumsum(counts) - counts
    owners = np.arange(size) if one_each else np.repeat(np.arange(size), counts)
    numbers = rng.integers(0, np.where(popular[owners] > 25, 3, 7)).astype(np.int32)
    runs = Runs(starts[:0], counts[:0], numbers[:size]) if one_each else Runs(starts, counts, numbers)
    of_rows: list[Any] = [[numbers[row]] if one_each else numbers[starts[row] :][: counts[row]] for row in range(size)]
    means = [np.float32(sum(float(weights[each]) for each in of)) / max(len(of), 1) for of in of_rows]
    products = (np.array(means) * factors).astype(np.float32)
    order = WholeOrder(popular)
    moved = rng.choice(size, min(size, 50), replace=False)
    popular[moved] = rng.integers(0, 50, len(moved))
    factors[moved] = np.sqrt(popular[moved])
    products[moved] = (np.array(means)[moved] * factors[moved]).astype(np.float32)
    order.move(moved)
    assert order.best_weighted(runs, weights, factors, allowed, limit).tolist() == expected(products, allowed, limit)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60), st.data())
def test_the_smallest_keys_come_first(values: list[int], data: st.DataObject) -> None:
    keys, limit = np.array(values, np.int64), data.draw(st.integers(1, len(values)))
    select(keys, limit)
    assert sorted(keys.tolist()) == sorted(values)
    assert sorted(keys[:limit].tolist()) == sorted(values)[:limit]
    assert keys[limit - 1] == sorted(values)[limit - 1]


@pytest.mark.parametrize("hidden", [0, 5, 3 * 1000, 4 * 1000])
def test_a_walk_goes_as_far_as_it_has_to(hidden: int) -> None:
    size = 4 * 1000
    order, allowed = WholeOrder(np.arange(size, 0, -1).astype(np.float32)), np.ones(size, bool)
    allowed[:hidden] = False
    assert order.best(allowed, 300).tolist() == list(range(hidden, min(size, hidden + 300)))
