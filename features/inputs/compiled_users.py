"""What is computed of a user's history, compiled: `features.inputs.moment` and `features.inputs.columns` say what it means."""

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from features.recall.compiled import compiled


@compiled
def newest_known(
    rows: IntArray, positive: BoolArray, count: int, size: int, shares: FloatArray, not_positive: np.float32
) -> tuple[IntArray, FloatArray]:
    """(rows [k], shares [k]) of the newest `count` rows, those from 0 to `size` among them; shares: of the newest, the one before
    it and so on; what is not positive has `not_positive` of its own."""
    first = max(0, len(rows) - count)
    out, of_rows = np.empty(len(rows) - first, np.int64), np.empty(len(rows) - first, np.float32)
    used = len(out)
    for at in range(len(rows) - 1, first - 1, -1):
        if 0 <= rows[at] < size:
            share = shares[len(out) - used]
            used -= 1
            out[used] = rows[at]
            of_rows[used] = share if positive[at] else share * not_positive
    return out[used:], of_rows[used:]


@compiled
def blend(stored: IntArray, fades: DoubleArray, kinds: DoubleArray) -> FloatArray:
    """[3, K] tastes by half-life, of stored ones [K, 10]: a time, then a weight for each kind and half-life. fades: [3] what
    makes events of the weights of a half-life; kinds: [3] what an event of a kind counts. They are shares of all its events."""
    out = np.zeros((3, len(stored)), np.float32)
    for half_life in range(3):
        total = 0.0
        for name in range(len(stored)):
            for kind in range(3):
                total += abs(stored[name, 1 + 3 * kind + half_life] * fades[half_life])
        if total > 1e-6:
            for name in range(len(stored)):
                events = 0.0
                for kind in range(3):
                    events += kinds[kind] * (stored[name, 1 + 3 * kind + half_life] * fades[half_life])
                out[half_life, name] = events / total
    return out


@compiled
def in_columns(values: FloatArray, columns: IntArray, width: int) -> FloatArray:
    """[3, width] the sums of values [3, K] by their columns [K]."""
    out = np.zeros((len(values), width), np.float32)
    for of in range(len(values)):
        for at in range(len(columns)):
            out[of, columns[at]] += values[of, at]
    return out
