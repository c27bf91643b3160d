"""A user's newest events as sequence models read them: what, how it was taken, and how long after the one before.

L = 20, the events that a user's features keep (`UserFeatures.recent`); shorter histories are padded on the left.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from features.inputs import Ints
from features.state import RECENT
from features.words import CLICK, DISLIKE, LIKE, RATING, VIEW

LENGTH: Final = RECENT
NOTHING: Final = -1
"""The item of a place that is not filled; ids are not negative."""
MARKS: Final = 15
"""Marks there are: 0 is none, 1 to 10 a rating in halves, then the kinds of act without one."""
_MARKS: Final = {CLICK: 11, VIEW: 12, LIKE: 13, DISLIKE: 14}
GAPS: Final = 32
"""Gaps there are: 0 is none, k a gap of at least 2^(k−1) − 1 seconds."""

Recent = Sequence[tuple[int, int, int, int]]
"""(item id, ts in ms, kind, rating in hundredths), as in `UserFeatures.recent`."""


def mark_of(kind: int, centi: int) -> int:
    """How an event was taken, from 1 to 14."""
    return min(10, max(1, (centi + 25) // 50)) if kind == RATING else _MARKS.get(kind, 11)


def gap_of(milliseconds: int) -> int:
    """A gap's number, from 1 to 31, by its seconds' size in powers of two. What goes back in time is none at all."""
    return min(GAPS - 1, (max(milliseconds, 0) // 1000 + 1).bit_length())


def history_of(recent: Recent, at: int) -> tuple[Ints, Ints, Ints]:
    """(items [L], marks [L], gaps [L + 1]) of a user's newest events at `at` (ms).

    A gap stands before its event: gaps[0] is that of the first event shown, which is none, the last one is that up to `at`.
    """
    recent = recent[-LENGTH:]
    items = np.full(LENGTH, NOTHING, np.int64)
    marks = np.zeros(LENGTH, np.int64)
    gaps = np.zeros(LENGTH + 1, np.int64)
    first = LENGTH - len(recent)
    before = None
    for place, (item_id, ts, kind, centi) in enumerate(recent, start=first):
        items[place] = item_id
        marks[place] = mark_of(kind, centi)
        gaps[place] = 0 if before is None else gap_of(ts - before)
        before = ts
    gaps[-1] = 0 if before is None else gap_of(at - before)
    return items, marks, gaps
