"""Maximal marginal relevance, compiled: what is shown is relevant, and unlike what stands above it (J. Carbonell, J. Goldstein,
The Use of MMR, SIGIR 1998)."""

import numpy as np

from features.arrays import FloatArray, IntArray
from features.recall.compiled import NumberArray, compiled


@compiled
def cosine(values: NumberArray, starts: IntArray, one: int, other: int) -> float:
    """The cosine of two sets of values: how many they share, over the root of the product of how many they have; 0 for none."""
    shared = 0
    for at in range(starts[one], starts[one + 1]):
        for with_at in range(starts[other], starts[other + 1]):
            shared += values[at] == values[with_at]
    if shared == 0:
        return 0.0
    return float(shared / np.sqrt((starts[one + 1] - starts[one]) * (starts[other + 1] - starts[other])))


@compiled
def marginal_relevance(
    relevance: FloatArray, values: NumberArray, starts: IntArray, diversity: float, size: int
) -> IntArray:
    """[min(size, p)] of p items the ones that are chosen, in their order: each is the one with the most of (1 − diversity) *
    relevance − diversity * its largest cosine with one chosen before, the first of equal ones. relevance: [p]; the values of
    item k, each once, are values[starts[k] : starts[k + 1]]."""
    count = len(relevance)
    nearest, is_left = np.zeros(count), np.ones(count, np.bool_)
    chosen = np.empty(min(size, count), np.int64)
    for rank in range(len(chosen)):
        best, largest = -1, 0.0
        for at in range(count):
            if is_left[at]:
                worth = (1 - diversity) * relevance[at] - diversity * nearest[at]
                if best < 0 or worth > largest:
                    best, largest = at, worth
        chosen[rank], is_left[best] = best, False
        for at in range(count):
            if is_left[at]:
                nearest[at] = max(nearest[at], cosine(values, starts, at, best))
    return chosen
