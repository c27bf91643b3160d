"""EASE: linear item-to-item weights in closed form, for the items with most positives.

H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. With G = XᵀX of the users' positive items and
P = (G + λI)⁻¹ the weights are B = −P / diag(P), its diagonal 0. The Gram matrix of at most ITEMS items fits in memory
(400 MB for 10,000), whatever the number of users.
"""

from typing import Final

import numpy as np

from features.arrays import DoubleArray, FloatArray, IntArray

ITEMS: Final = 10_000
LAMBDA: Final = 200.0
_PAIRS: Final = 1 << 22


def gram(users: IntArray, items: IntArray, size: int) -> FloatArray:
    """[size, size] how many users have both items, from rows (user, item), items from 0 to size − 1. Repetitions count once."""
    rows = np.unique(np.stack([users, items], axis=1), axis=0)
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
        right = rows[np.repeat(of_user[low:high], many) + index, 1]
        np.add.at(out, left * size + right, np.float32(1))
        low = high
    return out.reshape(size, size)


def ease(users: IntArray, items: IntArray, limit: int = ITEMS) -> tuple[IntArray, DoubleArray]:
    """(ids [k] ascending, weights [k, k]) from the positive rows (user, item id). Row i has the weights from item i to the
    others; k is at most `limit`, the items with most rows."""
    ids, counts = np.unique(items, return_counts=True)
    if len(ids) > limit:
        ids = np.sort(ids[np.lexsort((ids, -counts))[:limit]])
    index = np.minimum(np.searchsorted(ids, items), max(len(ids) - 1, 0))
    present = ids[index] == items if len(ids) else np.zeros(0, bool)
    matrix = gram(users[present], index[present], len(ids)).astype(np.float64)
    matrix[np.diag_indices(len(ids))] += LAMBDA
    inverse = np.linalg.inv(matrix)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return ids, weights
