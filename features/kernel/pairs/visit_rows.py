"""The co-visits of many items as rows, one of each item, and what a co-visit does to them, compiled.

A row's visits stand in ascending order of time, event, other item and weight, the newest last. An item's number counts as
unsigned there, as it does in the bytes that are stored.
"""

from typing import Final, NamedTuple

import numpy as np

from features.arrays import AnyArray, IntArray
from features.recall.compiled import compiled

VISIT: Final = np.dtype((np.record, [(name, np.int64) for name in ("ts", "key", "other", "weight", "undone")]))
"""A co-visit: `weight` is that when it came, `undone` 1 once it was taken back."""
SIGN_BIT: Final = np.int64(-(2**63))
"""The bit whose change makes signed numbers compare as unsigned ones do, and the other way round."""


class Rows(NamedTuple):
    """Rows of so many items, [R].

    visits  [R, limit] VISIT
    counts  [R]: how many of them there are
    ns      [R]: co-visits folded in, undone ones included
    """

    visits: AnyArray
    counts: IntArray
    ns: IntArray


@compiled
def fold_slots(visits: AnyArray, counts: IntArray, ns: IntArray, rows: IntArray, slots: IntArray) -> None:
    """Fold slots, [S, SLOT_FIELDS] (`features.kernel.contribution_rows`), each into its row, in their order."""
    for which in range(len(slots)):
        row = rows[which]
        ns[row] += 1
        counts[row] = _fold_slot(visits[row], counts[row], slots[which])


@compiled
def _fold_slot(visits: AnyArray, count: int, slot: IntArray) -> int:
    """Fold a slot into the visits of its item; how many there are then."""
    at = _position(visits, count, slot)
    if at < count and _order(visits, at, slot) == 0:
        if slot[4] < 0:
            visits[at].undone = 1
        return count
    if slot[4] < 0:
        return count
    if count < len(visits):
        for other in range(count, at, -1):
            visits[other] = visits[other - 1]
        _put(visits, at, slot)
        return count + 1
    if at > 0:  # the oldest goes
        for other in range(at - 1):
            visits[other] = visits[other + 1]
        _put(visits, at - 1, slot)
    return count


@compiled
def _position(visits: AnyArray, count: int, slot: IntArray) -> int:
    """Where a slot's visit stands, or belongs: most are the newest of their item."""
    if count == 0 or _order(visits, count - 1, slot) < 0:
        return count
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if _order(visits, middle, slot) < 0:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _order(visits: AnyArray, at: int, slot: IntArray) -> int:
    """Below 0 where the visit comes before the slot's, 0 where they are equal."""
    if visits[at].ts != slot[1]:
        return -1 if visits[at].ts < slot[1] else 1
    if visits[at].key != slot[2]:
        return -1 if visits[at].key < slot[2] else 1
    if visits[at].other != slot[3]:
        return -1 if visits[at].other ^ SIGN_BIT < slot[3] ^ SIGN_BIT else 1
    if visits[at].weight != abs(slot[4]):
        return -1 if visits[at].weight < abs(slot[4]) else 1
    return 0


@compiled
def _put(visits: AnyArray, at: int, slot: IntArray) -> None:
    visits[at].ts = slot[1]
    visits[at].key = slot[2]
    visits[at].other = slot[3]
    visits[at].weight = slot[4]
    visits[at].undone = 0
