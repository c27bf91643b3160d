"""Rows of co-visits as bytes, compiled: the state as Flink holds it, and the neighbours as Redis holds them."""

from typing import Final

from features.arrays import AnyArray, IntArray
from features.fold.co_visits import NEIGHBOURS, VISIT_BYTES
from features.fold.decay import HALF_LIVES
from features.kernel.decayed_sums import epoch_of, faded, halved, weight_of
from features.kernel.msgpack_bytes import (
    MAX_BYTES,
    put_2_bytes,
    put_8_bytes,
    put_array_header,
    put_bytes_header,
    put_int,
)
from features.kernel.pairs.visit_rows import SIGN_BIT
from features.kernel.row_index import position_of
from features.recall.compiled import compiled

MAX_NEIGHBOUR_BYTES: Final = 4 * MAX_BYTES + NEIGHBOURS * (1 + 2 * MAX_BYTES)
_LONGEST: Final = len(HALF_LIVES) - 1
_HALF_LIFE: Final = HALF_LIVES[-1]


def max_pair_bytes(limit: int) -> int:
    """Of the state of an item with `limit` visits."""
    return limit * (VISIT_BYTES + 1) + 4 * MAX_BYTES


@compiled
def put_pairs(visits: AnyArray, counts: IntArray, ns: IntArray, rows: IntArray, data: AnyArray, ends: IntArray) -> None:
    """Write the states of some rows, one behind the other; `ends` is filled with where each ends."""
    at = 0
    for which in range(len(rows)):
        row = rows[which]
        at = put_int(data, put_array_header(data, at, 3), ns[row])
        at = put_bytes_header(data, at, counts[row] * VISIT_BYTES)
        for visit in visits[row, : counts[row]]:
            at = put_8_bytes(data, at, visit.ts)
            at = put_8_bytes(data, at, visit.key ^ SIGN_BIT)
            at = put_8_bytes(data, at, visit.other)
            at = put_2_bytes(data, at, visit.weight)
        at = put_bytes_header(data, at, counts[row])
        for visit in visits[row, : counts[row]]:
            data[at] = visit.undone
            at += 1
        ends[which] = at


@compiled
def put_neighbours(
    visits: AnyArray,
    counts: IntArray,
    ns: IntArray,
    rows: IntArray,
    data: AnyArray,
    ends: IntArray,
    items: IntArray,
    index: AnyArray,
    others: IntArray,
    sums: IntArray,
    top: IntArray,
) -> None:
    """Write the neighbours of some rows, one behind the other; `ends` is filled with where each ends.

    items                [R]: item ids
    index, others, sums  room for what the visits of an item weigh together, by other item (`features.kernel.row_index`): 0
    top                  [NEIGHBOURS] room for the best of these
    """
    at = 0
    for which in range(len(rows)):
        row = rows[which]
        at = put_int(data, put_array_header(data, at, 4), items[row])
        at = put_int(data, at, ns[row])
        if counts[row] == 0:
            at = put_array_header(data, put_int(data, at, 0), 0)
        else:
            newest = visits[row, counts[row] - 1].ts
            found = _weigh(visits[row, : counts[row]], epoch_of(newest, _LONGEST), index, others, sums)
            best = _best(found, others, sums, top)
            at = put_array_header(data, put_int(data, at, newest), best)
            for each in top[:best]:
                at = put_int(data, put_array_header(data, at, 2), others[each])
                at = put_int(data, at, faded(sums[each], newest % _HALF_LIFE, _LONGEST))
        ends[which] = at


@compiled
def _weigh(visits: AnyArray, epoch: int, index: AnyArray, others: IntArray, sums: IntArray) -> int:
    """Fill `others` and `sums` with what visits that were not taken back weigh as of an epoch; how many others there are."""
    found = 0
    for visit in visits:
        if visit.undone:
            continue
        at = position_of(index, others, visit.other)
        if index[at] == 0:
            others[found] = visit.other
            sums[found] = 0
            found += 1
            index[at] = found
        sums[index[at] - 1] += visit.weight * halved(
            weight_of(visit.ts, _LONGEST), epoch - epoch_of(visit.ts, _LONGEST)
        )
    index[:] = 0
    return found


@compiled
def _best(found: int, others: IntArray, sums: IntArray, top: IntArray) -> int:
    """Fill `top` with the heaviest others, ties by id; how many these are. What has faded to nothing is none."""
    count = 0
    for each in range(found):
        if sums[each] == 0 or (count == len(top) and not _is_heavier(each, top[count - 1], others, sums)):
            continue
        at = min(count, len(top) - 1)
        while at > 0 and _is_heavier(each, top[at - 1], others, sums):
            top[at] = top[at - 1]
            at -= 1
        top[at] = each
        count = min(count + 1, len(top))
    return count


@compiled
def _is_heavier(one: int, other: int, others: IntArray, sums: IntArray) -> bool:
    return bool(sums[one] > sums[other] or (sums[one] == sums[other] and others[one] < others[other]))
