"""What the sessions most like one speak for (`features.base.past_sessions`), compiled."""

import numpy as np

from features.arrays import BoolArray, DoubleArray, IntArray
from features.recall.compiled import NumberArray, compiled
from features.recall.sparse import take_all_sums, take_sums


@compiled
def shared_sessions(
    session: IntArray,
    before: int,
    with_item: NumberArray,
    with_item_starts: IntArray,
    sample: int,
    likeness: NumberArray,
    newest: NumberArray,
    touched: IntArray,
) -> IntArray:
    """[3, s] number, likeness, ago: the sessions before number `before` that share an item with this one (rows [k], oldest
    first), of each item's the newest `sample`; the positions here of what they share, from 1, summed; and how many items ago,
    from 1, the newest of it was."""
    used = 0
    for at in range(len(session)):
        row = session[at]
        if row >= len(with_item_starts) - 1 or np.any(session[at + 1 :] == row):  # its last position counts
            continue
        start = with_item_starts[row]
        end = start + np.searchsorted(with_item[start : with_item_starts[row + 1]], before)
        for index in range(max(start, end - sample), end):
            number = with_item[index]
            if likeness[number] == 0:
                touched[used] = number
                used += 1
            likeness[number] += at + 1
            newest[number] = len(session) - at
    found = np.empty((3, used), np.int64)
    for at in range(used):
        number = touched[at]
        found[0, at], found[1, at], found[2, at] = number, likeness[number], newest[number]
        likeness[number], newest[number] = 0, 0
    return found


@compiled
def member_sums(
    numbers: IntArray,
    weights: DoubleArray,
    starts: IntArray,
    members: NumberArray,
    size: int,
    allowed: BoolArray,
    sums: DoubleArray,
    touched: IntArray,
) -> IntArray:
    """Keys of the sums of the weights of the sessions, by their numbers, that a row is a member of; there are `size` rows."""
    used, adds = 0, 0
    for number in numbers:
        adds += starts[number + 1] - starts[number]
    many = adds >= size
    for at in range(len(numbers)):
        for index in range(starts[numbers[at]], starts[numbers[at] + 1]):
            row = members[index]
            if not many and sums[row] == 0:
                touched[used] = row
                used += 1
            sums[row] += weights[at]
    return take_all_sums(sums, size, allowed) if many else take_sums(sums, touched, used, allowed)
