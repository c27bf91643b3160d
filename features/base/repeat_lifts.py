"""How soon items are taken again by those who took them: what is used up is wanted anew, what lasts is not (R. Bhagat,
S. Muralidharan, A. Lobzhanidze, S. Vishwanath, Buy It Again: Modeling Repeat Purchase Recommendations, KDD 2018).

An act that hides its item from its user for a time takes it, as a purchase does in a shop. From when that time is over the item
may be shown to them again, and is taken again at some rate. Lift is that rate, by the time since then, over the mean rate at
which all such items are taken again.

As arrays, which `features.base.reader` reads and `offline.item_weights.repeat_rates` writes:

items  int64 [n], ascending: the items that somebody took
lifts  float32 [n · SPANS]: those of items[k] are lifts[k · SPANS] … lifts[(k + 1) · SPANS − 1], by `span_of`
"""

from typing import Final

import numpy as np

from features.arrays import FloatArray, IntArray
from features.base.item_weights import rows_of
from features.errors import Broken
from features.units import HOUR_MS

REPEAT_ARRAYS: Final = {"items": np.int64, "lifts": np.float32}
"""By name and type, in this order."""
SPANS: Final = 12
"""The first is an hour, each other one ends after twice the time of the one before; the last, from six weeks on, has no end."""


def span_ends() -> IntArray:
    """[SPANS − 1] the times, in ms, at which all spans but the last end."""
    return HOUR_MS << np.arange(SPANS - 1, dtype=np.int64)


def span_of(ago: IntArray) -> IntArray:
    """[k] the span of each time, in ms.

    >>> span_of(np.array([0, HOUR_MS - 1, HOUR_MS, 2 * HOUR_MS, 1024 * HOUR_MS, 10**15]))
    array([ 0,  0,  1,  2, 11, 11])
    """
    return np.searchsorted(span_ends(), ago, side="right")


class Repeats:
    """The lifts of a catalogue whose items stand in rows; what names an item that has no row is left out. 48 bytes for each item
    that somebody took, and 8 for each row.

    `rows` are the ids of the rows, in the order of rows. Raises Broken where the arrays don't fit together.
    """

    def __init__(self, rows: IntArray, items: IntArray, lifts: FloatArray) -> None:
        if len(lifts) != len(items) * SPANS:
            raise Broken(f"repeats: {len(items)} items, {len(lifts)} lifts, expected {SPANS} for each item")
        row_of, known = rows_of(items, rows, np.argsort(rows, kind="stable"))
        self._lifts = np.r_[np.asarray(lifts).reshape(-1, SPANS)[known], np.ones((1, SPANS), np.float32)]
        self._at = np.full(len(rows) + 1, -1, np.int64)
        """For each row where its lifts stand; −1, the last, for one of which nothing is known, and for all newer rows."""
        self._at[row_of[known]] = np.arange(np.count_nonzero(known))

    @classmethod
    def none(cls) -> "Repeats":
        """Nothing is known of any item."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))

    def lifts(self, rows: IntArray, ago: IntArray) -> FloatArray:
        """[k] the lift of each row (≥ 0) after so many ms; 1 where nothing is known."""
        at = self._at[np.minimum(rows, len(self._at) - 1)]
        found: FloatArray = self._lifts[at, span_of(ago)]
        return found
