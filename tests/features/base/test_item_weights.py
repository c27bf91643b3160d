"""Weights between items: what is written is read, in whatever rows the items stand."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.base.item_weights import Relations
from features.base.reader import read_relations
from features.errors import Broken
from offline.item_weights.build import nearest, write_relations
from tests.features.dense import dense


def some(rows: list[int]) -> Relations:
    """1 has 2 and 3, 3 has 1 and 9; 4 none."""
    return Relations(
        np.array(rows),
        np.array([1, 3, 4]),
        np.array([0, 2, 4, 4]),
        np.array([2, 3, 1, 9]),
        np.array([0.5, 0.25, 0.75, 0.125], np.float32),
    )


def near(relations: Relations, rows: list[int], item_id: int) -> dict[int, float]:
    others, weights = relations.near(rows.index(item_id))
    return {rows[other]: float(weight) for other, weight in zip(others, weights, strict=True)}


@given(st.permutations([1, 2, 3, 4, 9, 12]))
def test_they_are_found_in_any_order_of_rows(rows: list[int]) -> None:
    relations = some(rows)
    assert near(relations, rows, 1) == {2: 0.5, 3: 0.25}
    assert near(relations, rows, 3) == {1: 0.75, 9: 0.125}
    assert near(relations, rows, 4) == near(relations, rows, 12) == {}
    everything = np.ones(len(rows), bool)
    keys = relations.spread(np.array([rows.index(1), rows.index(3)]), np.array([1, 2], np.float32), everything)
    spread = dense(keys, len(rows))
    assert {rows[row]: float(spread[row]) for row in np.flatnonzero(spread)} == {1: 1.5, 2: 0.5, 3: 0.25, 9: 0.25}


def test_what_has_no_row_is_left_out() -> None:
    rows = [3, 1]
    relations = some(rows)
    assert near(relations, rows, 3) == {1: 0.75}
    assert near(relations, rows, 1) == {3: 0.25}
    assert [len(part) for part in relations.near(99)] == [0, 0]  # an item newer than the weights
    assert not len(relations.spread(np.zeros(0, np.int64), np.zeros(0, np.float32), np.ones(2, bool)))
    assert not len(relations.spread(np.array([99]), np.ones(1, np.float32), np.ones(2, bool)))


@settings(max_examples=settings().max_examples // 6)
@given(st.integers(1, 12), st.integers(1, 15), st.randoms(use_true_random=False))
def test_the_nearest_are_the_largest_best_first(size: int, count: int, chance: random.Random) -> None:
    rng = np.random.default_rng(chance.randrange(1 << 30))
    weights = rng.integers(-3, 4, (size, size)).astype(float)
    starts, columns, values = nearest(weights, count)
    for row in range(size):
        expected = sorted((-weight, column) for column, weight in enumerate(weights[row]) if weight > 0)[:count]
        got = slice(starts[row], starts[row + 1])
        assert values[got].tolist() == [-weight for weight, _ in expected]
        assert all(weights[row, column] == value for column, value in zip(columns[got], values[got], strict=True))


def test_files_come_back_and_what_does_not_fit_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "ease"
    write_relations(folder, np.array([5]), np.array([0, 1]), np.array([6]), np.array([0.5], np.float32))
    assert near(read_relations(folder, np.array([5, 6])), [5, 6], 5) == {6: 0.5}
    np.save(folder / "weights.npy", np.array([0.5]))
    with pytest.raises(Broken, match=r"weights\.npy: expected float32 in one dimension, got float64"):
        read_relations(folder, np.array([5]))
    np.save(folder / "weights.npy", np.zeros(2, np.float32))
    with pytest.raises(Broken, match="1 items, 2 starts, 1 neighbours"):
        read_relations(folder, np.array([5]))
    (folder / "starts.npy").write_bytes(b"cut")
    with pytest.raises(Broken, match=r"starts\.npy can't be read"):
        read_relations(folder, np.array([5]))
