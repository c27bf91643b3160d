"""EASE against its definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from offline.item_weights.ease import LAMBDA, ease, gram

rows = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), min_size=1, max_size=60)


@settings(max_examples=60)
@given(rows)
def test_the_gram_matrix_counts_users_with_both(pairs: list[tuple[int, int]]) -> None:
    users, items = np.array(pairs).T
    matrix = np.zeros((10, 7))
    matrix[users, items] = 1
    np.testing.assert_array_equal(gram(users, items, 7), matrix.T @ matrix)


@settings(max_examples=60)
@given(rows)
def test_the_weights_solve_the_regression_without_a_diagonal(pairs: list[tuple[int, int]]) -> None:
    """Each column's weights are the ridge regression of that item on all others."""
    users, items = np.array(pairs).T
    ids, weights = ease(users, items * 10)
    assert ids.tolist() == sorted(set((items * 10).tolist()))
    matrix = np.zeros((10, len(ids)))
    matrix[users, np.searchsorted(ids, items * 10)] = 1
    for column in range(len(ids)):
        others = np.delete(np.arange(len(ids)), column)
        left = matrix[:, others]
        solved = np.linalg.solve(left.T @ left + LAMBDA * np.eye(len(others)), left.T @ matrix[:, column])
        np.testing.assert_allclose(weights[others, column], solved, atol=1e-9)
        assert weights[column, column] == 0


def test_only_the_items_with_most_rows_are_taken() -> None:
    users, items = np.arange(9), np.array([5, 5, 5, 7, 7, 9, 9, 11, 2])
    ids, weights = ease(users, items, limit=3)
    assert ids.tolist() == [5, 7, 9]
    assert weights.shape == (3, 3)


def test_nothing_gives_nothing() -> None:
    ids, weights = ease(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert (len(ids), weights.shape) == (0, (0, 0))
