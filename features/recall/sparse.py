"""Strengths of the few rows that a history leads to: made, chosen from and looked up without a pass over the catalogue.

Strengths are keys, int64 [m]: a row, of which each has one key at most, and its float32 value above 0. Sorted, they name the
strongest row first, of equal ones the lowest. N rows of a catalogue; a row at or beyond the length of `allowed` came after the
moment, and counts as not allowed.
"""

from typing import Final

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from features.recall.compiled import NumberArray, compiled

ROW_BITS: Final = 32
ROW: Final = (1 << ROW_BITS) - 1


@compiled
def keys_of(rows: IntArray, values: FloatArray, allowed: BoolArray) -> IntArray:
    """The keys of those rows that are allowed and whose value is above 0."""
    bits = values.view(np.int32)  # of positive floats: the larger, the larger
    keys = np.empty(len(rows), np.int64)
    used = 0
    for at in range(len(rows)):
        row = rows[at]
        if values[at] > 0 and row < len(allowed) and allowed[row]:
            keys[used] = (-np.int64(bits[at]) << ROW_BITS) | row
            used += 1
    return keys[:used]


@compiled
def values_of(keys: IntArray) -> FloatArray:
    """[m] the values of keys."""
    bits = np.empty(len(keys), np.int32)
    for at in range(len(keys)):
        bits[at] = -(keys[at] >> ROW_BITS)
    return bits.view(np.float32)


@compiled
def divided(keys: IntArray, divisors: FloatArray) -> IntArray:
    """The keys, each value over its row's divisor [N], which is 1 or more."""
    values = values_of(keys)
    for at in range(len(keys)):
        values[at] /= divisors[keys[at] & ROW]
    bits = values.view(np.int32)
    out = np.empty(len(keys), np.int64)
    for at in range(len(keys)):
        out[at] = (-np.int64(bits[at]) << ROW_BITS) | (keys[at] & ROW)
    return out


@compiled
def take_sums(sums: DoubleArray, touched: IntArray, count: int, allowed: BoolArray) -> IntArray:
    """The keys of the first `count` touched rows, of those that are allowed; the sums of all of them are cleared. A row is
    touched where a value is added to a sum of 0, so one whose sum came back to 0 may stand there twice: it has one key."""
    values = np.empty(count, np.float32)
    for at in range(count):
        row = touched[at]
        values[at] = sums[row]
        sums[row] = 0.0
    return keys_of(touched[:count], values, allowed)


@compiled
def take_all_sums(sums: DoubleArray, size: int, allowed: BoolArray) -> IntArray:
    """The keys of the first `size` rows, as `take_sums` of those that are touched; for where so much was added that most are."""
    values = np.empty(size, np.float32)
    for row in range(size):
        values[row] = sums[row]
        sums[row] = 0.0
    return keys_of(np.arange(size), values, allowed)


@compiled
def run_sums(
    starts: IntArray,
    counts: IntArray,
    others: NumberArray,
    weights: FloatArray,
    rows: IntArray,
    shares: FloatArray,
    allowed: BoolArray,
    sums: DoubleArray,
    touched: IntArray,
) -> IntArray:
    """Keys of the sums of the weights of all neighbours of `rows` [k], each times its row's share. The neighbours of a row are
    others[starts[row]], … (counts[row] of them); a row beyond `starts` has none."""
    used, adds = 0, 0
    for row in rows:
        if row < len(starts):
            adds += counts[row]
    many = adds >= len(starts)
    for at in range(len(rows)):
        row = rows[at]
        if row >= len(starts):
            continue
        for index in range(starts[row], starts[row] + counts[row]):
            other = others[index]
            if not many and sums[other] == 0:
                touched[used] = other
                used += 1
            sums[other] += np.float32(weights[index] * shares[at])
    return take_all_sums(sums, len(starts), allowed) if many else take_sums(sums, touched, used, allowed)


@compiled
def table_sums(
    others: NumberArray,
    weights: FloatArray,
    rows: IntArray,
    shares: FloatArray,
    allowed: BoolArray,
    sums: DoubleArray,
    touched: IntArray,
) -> IntArray:
    """Keys as `run_sums` gives, of neighbours in a table [N, K] of weights of 0 or more; those with weight 0 are none."""
    used = 0
    for at in range(len(rows)):
        row = rows[at]
        for index in range(others.shape[1]):
            value = np.float32(weights[row, index] * shares[at])
            if value > 0:
                other = others[row, index]
                if sums[other] == 0:
                    touched[used] = other
                    used += 1
                sums[other] += value
    return take_sums(sums, touched, used, allowed)


@compiled
def both_sums(keys: IntArray, more: IntArray, allowed: BoolArray, sums: DoubleArray, touched: IntArray) -> IntArray:
    """Keys of two strengths, added."""
    used = 0
    for some in (keys, more):
        values = values_of(some)
        for at in range(len(some)):
            row = some[at] & ROW
            if sums[row] == 0:
                touched[used] = row
                used += 1
            sums[row] += values[at]
    return take_sums(sums, touched, used, allowed)


@compiled
def read_values(keys: IntArray, rows: IntArray, sums: DoubleArray) -> FloatArray:
    """[n] the values of rows, 0 for those that have none."""
    values = values_of(keys)
    for at in range(len(keys)):
        sums[keys[at] & ROW] = values[at]
    out = np.empty(len(rows), np.float32)
    for at in range(len(rows)):
        out[at] = sums[rows[at]]
    for at in range(len(keys)):
        sums[keys[at] & ROW] = 0.0
    return out


@compiled
def fill_columns(
    out: FloatArray,
    column: int,
    rows: IntArray,
    values: FloatArray,
    top: float,
    best: IntArray,
    ranks: NumberArray,
    of_rank: FloatArray,
) -> None:
    """Set two columns of out [n, …] for the wanted `rows` [n]: the share of each value in the top one, and what the row's rank
    among the best is worth: of_rank[1] for the first of them, and so on; of_rank[0] for a row that is not there."""
    for at in range(len(best)):
        ranks[best[at]] = at + 1
    for at in range(len(rows)):
        out[at, column] = np.float32(max(values[at], np.float32(0))) / np.float32(top)
        out[at, column + 1] = of_rank[ranks[rows[at]]]
    for at in range(len(best)):
        ranks[best[at]] = 0


@compiled
def fill_columns_of_keys(
    out: FloatArray,
    column: int,
    rows: IntArray,
    keys: IntArray,
    best: IntArray,
    sums: DoubleArray,
    ranks: NumberArray,
    of_rank: FloatArray,
) -> None:
    """Set two columns as `fill_columns`, by keys of which there is one at least."""
    fill_columns(out, column, rows, read_values(keys, rows, sums), values_of(keys).max(), best, ranks, of_rank)


@compiled
def allowed_values(strengths: FloatArray, rows: IntArray, allowed: BoolArray) -> FloatArray:
    """[n] the strengths [N] of rows; 0 for those that are not allowed."""
    out = np.zeros(len(rows), np.float32)
    for at in range(len(rows)):
        row = rows[at]
        if row < len(allowed) and allowed[row]:
            out[at] = strengths[row]
    return out


@compiled
def fill_columns_of_all(
    out: FloatArray,
    column: int,
    rows: IntArray,
    strengths: FloatArray,
    allowed: BoolArray,
    best: IntArray,
    ranks: NumberArray,
    of_rank: FloatArray,
) -> None:
    """Set two columns as `fill_columns`, by the strengths [N] of all rows; there is a best one."""
    values = allowed_values(strengths, rows, allowed)
    fill_columns(out, column, rows, values, strengths[best[0]], best, ranks, of_rank)


@compiled
def merge(
    rows: IntArray,
    starts: IntArray,
    limit: int,
    first: int,
    marks: NumberArray,
    touched: IntArray,
    found_by: IntArray,
) -> IntArray:
    """[n ≤ limit] the rows of several orders, one after the other in `rows`, order k from starts[k] on: all of the `first` first
    orders, then by the best rank that any order gives, ties by order; bit k of found_by [n] is set where order k has the row."""
    longest, orders = 0, len(starts) - 1
    for order in range(orders):
        longest = max(longest, starts[order + 1] - starts[order])
    used = 0
    for at in range(starts[first]):
        if marks[rows[at]] == 0:
            touched[used] = rows[at]
            used += 1
            marks[rows[at]] = used
    for rank in range(longest):
        for order in range(orders):
            at = starts[order] + rank
            if at < starts[order + 1] and marks[rows[at]] == 0:
                touched[used] = rows[at]
                used += 1
                marks[rows[at]] = used
    chosen = min(limit, used)
    for order in range(orders):
        for at in range(starts[order], starts[order + 1]):
            index = marks[rows[at]] - 1
            if index < chosen:
                found_by[index] |= 1 << order
    for at in range(used):
        marks[touched[at]] = 0
    return touched[:chosen].copy()


def best(keys: IntArray, limit: int) -> IntArray:
    """[≤ limit] the strongest rows, in their order. The keys, which are in none, change places."""
    if len(keys) > limit:
        keys.partition(limit)
    rows = keys[:limit].copy()
    rows.sort()
    rows &= ROW
    return rows
