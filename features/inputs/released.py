"""Items that a user's own acts hid from them for a time which is over, so that they may be shown, and taken, again.

N rows of a catalogue.
"""

from collections.abc import Mapping
from math import log2
from typing import Final, NamedTuple

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.base.repeat_lifts import Repeats
from features.types import ItemId, Millis

MAX_RELEASED: Final = 1_000
"""Of more items the newest count."""
MAX_LIFT: Final = 32.0
"""A lift that counts as no more, and as no less than one over it."""


class Released(NamedTuple):
    """rows [k], each once, in no order; ago [k]: how long they may have been shown again, ms."""

    rows: IntArray
    ago: IntArray


def nothing_released() -> Released:
    """No items."""
    return Released(np.zeros(0, np.int64), np.zeros(0, np.int64))


def released(hidden: Mapping[ItemId, Millis], at: Millis, row_of: Mapping[ItemId, int]) -> Released:
    """The items, MAX_RELEASED at most, that were hidden until a time which is over at `at`. hidden: item → until when, ms; what
    has no row is left out."""
    over = [(until, row_of[item_id]) for item_id, until in hidden.items() if until <= at and item_id in row_of]
    if len(over) > MAX_RELEASED:
        over = sorted(over)[-MAX_RELEASED:]  # Redis gives them in this order, which costs next to nothing
    untils, rows = np.ascontiguousarray(np.array(over, np.int64).reshape(-1, 2).T)
    return Released(rows, at - untils)


def due_strengths(items: Released, repeats: Repeats) -> FloatArray:
    """[k] the lifts above 1; 0 for the other items."""
    lifts = repeats.lifts(*items)
    due: FloatArray = np.where(lifts > 1, lifts, np.float32(0))
    return due


def fill_released(
    out: FloatArray, column: int, rows: IntArray, items: Released, repeats: Repeats, allowed: BoolArray
) -> None:
    """Set two columns of out [n, …] for rows [n]: 1 where the row is among the items and allowed [N], and there the logarithm of
    its lift, from −1 to 1. The others stay as they are."""
    if not len(items.rows):
        return
    order = np.argsort(items.rows)
    at = np.minimum(np.searchsorted(items.rows, rows, sorter=order), len(order) - 1)
    which = order[at]
    found = np.flatnonzero((items.rows[which] == rows) & allowed[rows])
    lifts = repeats.lifts(rows[found], items.ago[which[found]])
    out[found, column] = 1
    out[found, column + 1] = np.log2(np.clip(lifts, 1 / MAX_LIFT, MAX_LIFT)) / log2(MAX_LIFT)
