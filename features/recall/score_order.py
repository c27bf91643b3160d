"""The order of candidates by their scores."""

import numpy as np

from features.arrays import FloatArray, IntArray
from features.recall.compiled import compiled
from features.recall.sparse import ROW, ROW_BITS


@compiled
def score_keys(scores: FloatArray) -> IntArray:
    """[n] keys that sort as the scores do, the largest first: of each the score, and below it the candidate's index."""
    bits = (scores + np.float32(0)).view(np.int32)  # −0 becomes 0
    keys = np.empty(len(scores), np.int64)
    for at in range(len(scores)):
        rising = bits[at] if bits[at] >= 0 else bits[at] ^ 0x7FFFFFFF
        keys[at] = (-np.int64(rising) << ROW_BITS) | at
    return keys


@compiled
def settle_ties(keys: IntArray, ids: IntArray) -> IntArray:
    """[n] the candidates' indices of sorted keys, those of equal scores by their ids."""
    order = keys & ROW
    for end in range(1, len(keys)):
        at = end
        while at and keys[at - 1] >> ROW_BITS == keys[end] >> ROW_BITS and ids[order[at - 1]] > ids[order[at]]:
            order[at - 1], order[at] = order[at], order[at - 1]
            at -= 1
    return order


def by_score(ids: IntArray, scores: FloatArray) -> IntArray:
    """[n] candidates' indices by descending score, which is finite and counts as a float32, ties by id."""
    return settle_ties(np.sort(score_keys(np.ascontiguousarray(scores, np.float32))), ids)
