"""Keys of strengths: chosen, added and looked up as a plain dictionary says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import BoolArray, IntArray
from features.recall.compiled import Scratch, scratch
from features.recall.sparse import best, both_sums, divided, keys_of, read_values, run_sums, table_sums, values_of

SIZE = 20
strengths = st.dictionaries(st.integers(0, SIZE - 1), st.integers(-2, 9).map(lambda number: number / 4), max_size=SIZE)
masks = st.lists(st.booleans(), max_size=SIZE).map(lambda allowed: np.array(allowed, bool))
EVERYTHING = np.ones(SIZE, bool)


def keys(values: dict[int, float], allowed: BoolArray = EVERYTHING) -> IntArray:
    return keys_of(np.array(list(values), np.int64), np.array(list(values.values()), np.float32), allowed)


def plain(some: IntArray) -> dict[int, float]:
    found = dict(zip(best(some, SIZE).tolist(), values_of(np.sort(some)).tolist(), strict=True))
    assert len(found) == len(some)
    return found


def left_clear(room: Scratch) -> bool:
    return not (room.sums.any() or room.first.any() or room.second.any())


@given(strengths, masks, st.integers(0, 25))
def test_the_best_are_the_strongest_allowed_ones_ties_by_row(
    values: dict[int, float], allowed: BoolArray, limit: int
) -> None:
    strong = {row: value for row, value in values.items() if row < len(allowed) and allowed[row] and value > 0}
    found = keys(values, allowed)
    assert plain(found) == strong
    assert best(found, limit).tolist() == sorted(strong, key=lambda row: (-strong[row], row))[:limit]


@given(strengths, strengths, masks)
def test_two_strengths_are_added(one: dict[int, float], other: dict[int, float], allowed: BoolArray) -> None:
    one, other = ({row: value for row, value in each.items() if value > 0} for each in (one, other))
    room = scratch(SIZE)
    both = both_sums(keys(one), keys(other), allowed, room.sums, room.touched)
    rows = [row for row in one.keys() | other.keys() if row < len(allowed) and allowed[row]]
    assert plain(both) == {row: one.get(row, 0) + other.get(row, 0) for row in rows}
    assert left_clear(room)


@given(strengths, st.lists(st.integers(0, SIZE - 1), max_size=30))
def test_what_has_no_strength_has_0(values: dict[int, float], rows: list[int]) -> None:
    room, some = scratch(SIZE), keys(values)
    found = read_values(some, np.array(rows, np.int64), room.sums).tolist()
    assert found == [max(values.get(row, 0), 0) for row in rows]
    halves = read_values(divided(some, np.full(SIZE, 2, np.float32)), np.array(rows, np.int64), room.sums).tolist()
    assert halves == [each / 2 for each in found]
    assert left_clear(room)


@given(
    st.dictionaries(st.integers(0, SIZE - 1), st.dictionaries(st.integers(0, SIZE - 1), st.integers(1, 4), max_size=4)),
    st.lists(st.tuples(st.integers(0, SIZE + 3), st.integers(1, 3)), max_size=6),
    masks,
)
def test_a_run_and_a_table_of_neighbours_give_their_weights_times_shares(
    neighbours: dict[int, dict[int, int]], liked: list[tuple[int, int]], allowed: BoolArray
) -> None:
    starts, counts, others, weights = [], [], list[int](), list[int]()
    table = np.zeros((SIZE, 4), np.int32), np.zeros((SIZE, 4), np.float32)
    for row in range(SIZE):
        of = neighbours.get(row, {})
        starts.append(len(others))
        counts.append(len(of))
        others += list(of)
        weights += list(of.values())
        table[0][row, : len(of)], table[1][row, : len(of)] = list(of), list(of.values())
    expected = dict[int, float]()
    for row, share in liked:
        for other, weight in neighbours.get(row, {}).items():
            if other < len(allowed) and allowed[other]:
                expected[other] = expected.get(other, 0) + weight * share
    rows, shares = np.array([row for row, _ in liked], np.int64), np.array([each for _, each in liked], np.float32)
    room = scratch(SIZE)
    runs = np.array(starts), np.array(counts), np.array(others, np.int32), np.array(weights, np.float32)
    assert plain(run_sums(*runs, rows, shares, allowed, room.sums, room.touched)) == expected
    within = rows < SIZE
    rows, shares = rows[within], shares[within]
    assert plain(table_sums(*table, rows, shares, allowed, room.sums, room.touched)) == expected
    assert left_clear(room)


def test_a_sum_that_comes_back_to_0_on_its_way_counts_once() -> None:
    room, three = scratch(SIZE), np.arange(3)
    runs = np.arange(SIZE), np.full(SIZE, 1), np.full(SIZE, 7, np.int32), np.resize([1, -1], SIZE).astype(np.float32)
    found = run_sums(*runs, three, np.ones(3, np.float32), EVERYTHING, room.sums, room.touched)
    assert plain(found) == {7: 1}
    assert left_clear(room)


@pytest.mark.parametrize("width", [4, 12], ids=["few rows are touched", "most rows are touched"])
def test_sums_of_weights_that_cancel_are_what_a_dictionary_says(width: int) -> None:
    """None is left for the next list."""
    rng, room = np.random.default_rng(5), scratch(SIZE)
    others = np.array([rng.permutation(SIZE)[:width] for _ in range(SIZE)], np.int32)
    weights = rng.integers(-1, 2, (SIZE, width)).astype(np.float32)
    runs = np.arange(SIZE) * width, np.full(SIZE, width), others.ravel(), weights.ravel()
    for rows in rng.permutation(SIZE)[: 4 * (SIZE // 4)].reshape(-1, 4):
        allowed = rng.random(SIZE - 2) < 0.8
        sums = dict[int, float]()
        for row in rows:
            for other, weight in zip(others[row].tolist(), weights[row].tolist(), strict=True):
                sums[other] = sums.get(other, 0) + weight
        expected = {row: value for row, value in sums.items() if row < len(allowed) and allowed[row] and value > 0}
        some = np.array([*rows, SIZE + 2]), np.ones(5, np.float32)
        assert plain(run_sums(*runs, *some, allowed, room.sums, room.touched)) == expected
        assert left_clear(room)
