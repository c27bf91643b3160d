"""A user's newest events as sequence models read them: what, how it was taken, and how long after the one before.

L = 20, the events that a user's features keep (`UserFeatures.recent`); shorter histories are padded on the left.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from features.arrays import IntArray
from features.fold.state import RECENT
from features.types import CLICK, DISLIKE, KINDS, LIKE, MAX_OWN_KINDS, NO_ID, RATING, VIEW

LENGTH: Final = RECENT
NOTHING: Final = NO_ID
"""The item id at a position that is not filled."""
MARKS: Final = 15 + MAX_OWN_KINDS
"""Marks there are: 0 is none, 1 to 10 a rating in halves, then the kinds of act without one, then a home's own."""
_MARKS: Final = {CLICK: 11, VIEW: 12, LIKE: 13, DISLIKE: 14}
GAPS: Final = 32
"""Gaps there are: 0 is none, k a gap of at least 2^(k−1) − 1 seconds."""

Recent = Sequence[tuple[int, int, int, int]]
"""(item id, ts in ms, kind, value in hundredths), as in `UserFeatures.recent`."""


def mark_of(kind: int, centi: int) -> int:
    """The mark of an event by its kind and rating, from 1 to MARKS − 1."""
    if kind == RATING:
        return min(10, max(1, (centi + 25) // 50))
    return _MARKS.get(kind, 11) if kind < len(KINDS) else 15 + kind - len(KINDS)


def gap_of(milliseconds: int) -> int:
    """A gap's number, from 1 to 31, by its seconds' size in powers of two. What goes back in time is none at all."""
    return min(GAPS - 1, (max(milliseconds, 0) // 1000 + 1).bit_length())


def history_of(recent: Recent, at: int) -> tuple[IntArray, IntArray, IntArray]:
    """(items [L], marks [L], gaps [L + 1]) of a user's newest events at `at` (ms).

    A gap stands before its event: gaps[0] is that of the first event shown, which is none, the last one is that up to `at`.
    """
    out = np.zeros(3 * LENGTH + 1, np.int64)
    items, marks, gaps = out[:LENGTH], out[LENGTH : 2 * LENGTH], out[2 * LENGTH :]
    items[:] = NOTHING
    if recent := recent[-LENGTH:]:
        item_ids, times, kinds, centis = zip(*recent, strict=True)
        items[-len(recent) :] = item_ids
        marks[-len(recent) :] = list(map(mark_of, kinds, centis))
        gaps[-len(recent) :] = [gap_of(then - ts) for ts, then in pairwise((*times, at))]
    return items, marks, gaps
