"""EASE: linear item-to-item weights in closed form, for the items with most positives.

H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. With G = XᵀX of the users' positive items and
P = (G + λI)⁻¹ the weights are B = −P / diag(P), its diagonal 0. The Gram matrix of at most ITEMS items fits in memory
(400 MB for 10,000), whatever the number of users.

X has the root of the largest weight of what a user did to an item. The largest, not the sum: a page opened ten times is no
purchase, and where one kind of event is all that there is, X is as good as binary, for which λ was chosen. The root: G then
counts in weights, as popularity does, and two purchases together are what eight pairs of looks of an eighth are. λ counts in the
mean of X², so that weights half as large for all, as in a history of looks alone, give the same.
"""

from typing import Final

import numpy as np

from features.arrays import DoubleArray, FloatArray, IntArray

ITEMS: Final = 10_000
LAMBDA: Final = 200.0
_PAIRS: Final = 1 << 22


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
    counts = np.diff(np.r_[starts, len(rows)])
    of_user, own = np.repeat(starts, counts), np.repeat(counts, counts)
    out = np.zeros(size * size, np.float32)
    ends = np.cumsum(own)
    low = 0
    while low < len(rows):  # every row meets all rows of its user, some millions of pairs at a time
        high = max(low + 1, int(np.searchsorted(ends, (ends[low - 1] if low else 0) + _PAIRS, side="right")))
        many = own[low:high]
        left = np.repeat(rows[low:high, 1], many)
        index = np.arange(len(left)) - np.repeat(np.cumsum(many) - many, many)
        others = np.repeat(of_user[low:high], many) + index
        products = np.repeat(values[low:high], many) * values[others]
        np.add.at(out, left * size + rows[others, 1], products.astype(np.float32))
        low = high
    return out.reshape(size, size)


def ease(users: IntArray, items: IntArray, weights: IntArray, limit: int = ITEMS) -> tuple[IntArray, DoubleArray]:
    """(ids [k] ascending, weights [k, k]) from the positive rows (user, item id, weight in units). Row i has the weights from
    item i to the others; k is at most `limit`, the items with the largest sums of weights."""
    ids, inverse = np.unique(items, return_inverse=True)
    if len(ids) > limit:
        sums = np.bincount(inverse, weights)
        ids = np.sort(ids[np.lexsort((ids, -sums))[:limit]])
    index = np.minimum(np.searchsorted(ids, items), max(len(ids) - 1, 0))
    present = ids[index] == items if len(ids) else np.zeros(0, bool)
    rows, largest = strongest(users[present], index[present], weights[present])
    matrix = gram(rows, np.sqrt(largest), len(ids)).astype(np.float64)
    matrix[np.diag_indices(len(ids))] += LAMBDA * (largest.mean() if len(largest) else 1)
    solved = np.linalg.inv(matrix)
    linear = -solved / np.diag(solved)
    np.fill_diagonal(linear, 0)
    return ids, linear
