"""EASE: linear item-to-item weights in closed form, for the items with most positives.

H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. With G = XᵀX of the users' positive items and
P = (G + λI)⁻¹ the weights are B = −P / diag(P), its diagonal 0. The Gram matrix of at most ITEMS items fits in memory
(400 MB for 10,000), whatever the number of users.

X has the root of the largest weight of what a user did to an item. The largest, not the sum: a page opened ten times is no
purchase, and where one kind of event is all that there is, X is as good as binary, for which λ was chosen. The root: G then
counts in weights, as popularity does, and two purchases together are what eight pairs of looks of an eighth are. λ counts in the
mean of X² of the positives, so that weights half as large for all, as in a history of looks alone, give the same. What was acted
on but not liked, such as a film rated low, still tells where a user was: it has NOT_POSITIVE of the mean positive's X.
"""

from typing import Final

import numpy as np

from features.arrays import DoubleArray, FloatArray, IntArray
from features.errors import Broken
from features.inputs.moment import NOT_POSITIVE
from features.recall.compiled import compiled
from offline.datasets.event_rows import mean_weight

ITEMS: Final = 10_000
LAMBDA: Final = 500.0


def strongest(users: IntArray, items: IntArray, weights: IntArray) -> tuple[IntArray, IntArray]:
    """(rows [n, 2], weights [n]): each (user, item) once, ascending, with the largest of its weights."""
    order = np.lexsort((weights, items, users))
    rows = np.stack([users[order], items[order]], axis=1)
    last = np.r_[(rows[1:] != rows[:-1]).any(axis=1), True] if len(rows) else np.zeros(0, bool)
    return rows[last], weights[order[last]]


def gram(rows: IntArray, values: DoubleArray, size: int) -> FloatArray:
    """[size, size] the sum over users of the products of their values for both items, from rows (user, item) in order, items from
    0 to size − 1. With values of 1: how many users have both."""
    starts = np.flatnonzero(np.r_[True, rows[1:, 0] != rows[:-1, 0]]) if len(rows) else np.zeros(0, np.int64)
    out = np.zeros((size, size), np.float32)
    _add_products(np.ascontiguousarray(rows[:, 1]), values, np.r_[starts, len(rows)], out)
    return out


@compiled
def _add_products(items: IntArray, values: DoubleArray, starts: IntArray, out: FloatArray) -> None:
    """Add the products of each user's values; a user's rows are [starts[u], starts[u + 1])."""
    for user in range(len(starts) - 1):
        for one in range(starts[user], starts[user + 1]):
            for other in range(starts[user], starts[user + 1]):
                out[items[one], items[other]] += np.float32(values[one] * values[other])


def ease(
    users: IntArray,
    items: IntArray,
    weights: IntArray,
    limit: int = ITEMS,
    penalty: float = LAMBDA,
    not_positive: float = NOT_POSITIVE,
) -> tuple[IntArray, FloatArray]:
    """(ids [k] ascending, weights [k, k]) from the rows of acts (user, item id, weight in units, 0 or less for one that is not
    positive). Row i has the weights from item i to the others; k is at most `limit`, the items with the largest sums of
    weights."""
    ids, inverse = np.unique(items, return_inverse=True)
    if len(ids) > limit:
        sums = np.bincount(inverse, np.maximum(weights, 0))
        ids = np.sort(ids[np.lexsort((ids, -sums))[:limit]])
    index = np.minimum(np.searchsorted(ids, items), max(len(ids) - 1, 0))
    present = ids[index] == items if len(ids) else np.zeros(0, bool)
    rows, largest = strongest(users[present], index[present], weights[present])
    mean = mean_weight(largest)
    squares = np.where(largest > 0, largest, not_positive**2 * mean)
    matrix = gram(rows, np.sqrt(squares), len(ids))
    matrix[np.diag_indices(len(ids))] += np.float32(penalty * mean)
    linear = inverted(matrix)
    linear /= -np.diag(linear)
    np.fill_diagonal(linear, 0)
    return ids, linear


def inverted(matrix: FloatArray) -> FloatArray:
    """The inverse of a symmetric matrix with eigenvalues above 0, in its memory, by Cholesky. Raises Broken where it has others,
    by what float32 can tell."""
    from scipy.linalg import lapack  # where weights are made alone: roles that read lists have no SciPy

    if not len(matrix):
        return matrix
    factor, failed = lapack.spotrf(matrix.T, overwrite_a=1)  # in Fortran's order, so that nothing is copied
    if not failed:
        factor, failed = lapack.spotri(factor, overwrite_c=1)
    if failed:
        raise Broken(f"the products of {len(matrix)} items can't be inverted: LAPACK says {failed}")
    inverse: FloatArray = factor.T
    for row in range(len(inverse)):  # LAPACK fills one half
        inverse[row, row + 1 :] = inverse[row + 1 :, row]
    return inverse
