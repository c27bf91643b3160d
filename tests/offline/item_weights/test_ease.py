"""EASE against its definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.arrays import DoubleArray
from features.inputs.moment import NOT_POSITIVE
from offline.item_weights.ease import LAMBDA, ease, gram, strongest

rows = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(1, 8)), min_size=1, max_size=60)
judged_rows = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(-2, 8)), min_size=1, max_size=60)
Rows = list[tuple[int, int, int]]


def largest_weights(found: Rows) -> DoubleArray:
    """[10, 7] the largest weight of each user and item, 0 where there is none."""
    matrix = np.zeros((10, 7))
    for user, item, weight in found:
        matrix[user, item] = max(matrix[user, item], weight)
    return matrix


@settings(max_examples=settings().max_examples // 3)
@given(rows)
def test_the_gram_matrix_sums_products_over_users_and_counts_each_item_of_a_user_once(found: Rows) -> None:
    users, items, weights = np.array(found).T
    once, largest = strongest(users, items, weights)
    matrix = largest_weights(found)
    np.testing.assert_array_equal(once, np.argwhere(matrix))
    np.testing.assert_array_equal(largest, matrix[matrix > 0])
    np.testing.assert_array_equal(gram(once, largest.astype(np.float64), 7), matrix.T @ matrix)


@settings(max_examples=settings().max_examples // 3)
@given(judged_rows)
def test_the_weights_solve_the_regression_without_a_diagonal(found: Rows) -> None:
    """Each column's weights are the ridge regression of that item on all others. What was taken and not liked counts, as so much
    of what a mean positive does."""
    users, items, weights = np.array(found).T
    ids, linear = ease(users, items * 10, weights)
    assert ids.tolist() == sorted(set((items * 10).tolist()))
    squares = largest_weights(found)[:, ids // 10]
    mean = squares[squares > 0].mean() if squares.any() else 1.0
    for user, item, _ in found:
        column = ids.tolist().index(item * 10)
        squares[user, column] = squares[user, column] or (NOT_POSITIVE**2) * mean
    matrix, penalty = np.sqrt(squares), LAMBDA * mean
    for column in range(len(ids)):
        others = np.delete(np.arange(len(ids)), column)
        left = matrix[:, others]
        solved = np.linalg.solve(left.T @ left + penalty * np.eye(len(others)), left.T @ matrix[:, column])
        np.testing.assert_allclose(linear[others, column], solved, atol=1e-6)
        assert linear[column, column] == 0


@settings(max_examples=settings().max_examples // 6)
@given(rows, st.integers(2, 32))
def test_weights_that_are_smaller_for_all_give_the_same(found: Rows, times: int) -> None:
    users, items, weights = np.array(found).T
    np.testing.assert_allclose(ease(users, items, weights)[1], ease(users, items, weights * times)[1], atol=1e-6)


@settings(max_examples=settings().max_examples // 6)
@given(rows)
def test_with_weights_of_one_it_is_ease_of_binary_rows(found: Rows) -> None:
    """As it was before there were weights."""
    users, items, _ = np.array(found).T
    binary = np.zeros((10, 7), np.float32)
    binary[users, items] = 1
    known = np.unique(items)
    matrix = (binary.T @ binary)[np.ix_(known, known)].astype(np.float64)
    matrix[np.diag_indices(len(known))] += LAMBDA
    inverse = np.linalg.inv(matrix)
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(ease(users, items, np.ones(len(users), np.int64))[1], expected, atol=1e-6)


def test_only_the_items_with_the_largest_weights_are_taken() -> None:
    users, items = np.arange(9), np.array([5, 5, 5, 7, 7, 9, 9, 11, 2])
    ids, weights = ease(users, items, np.ones(9, np.int64), limit=3)
    assert ids.tolist() == [5, 7, 9]
    assert weights.shape == (3, 3)
    assert ease(users, items, np.array([1, 1, 1, 1, 1, 1, 1, 8, 1]), limit=2)[0].tolist() == [5, 11]


def test_nothing_gives_nothing() -> None:
    none = np.zeros(0, np.int64)
    ids, weights = ease(none, none, none)
    assert (len(ids), weights.shape) == (0, (0, 0))
