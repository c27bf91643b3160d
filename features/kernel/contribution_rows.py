"""Contributions as rows of numbers, which the kernel makes and the job passes on; ids outside that are text go beside them."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from features.arrays import IntArray
from features.fold.co_visits import PARTNERS
from features.types import Contribution

FIELDS: Final = ("item_id", "ts", "kind", "centi", "sign", "weight", "key", "partner_count")
"""Columns of a row (`features.types.Contribution`); behind them stand the partners, PARTNERS columns."""
ITEM_ID, TS, KIND, CENTI, SIGN, WEIGHT, KEY, PARTNER_COUNT = range(len(FIELDS))
WIDTH: Final = len(FIELDS) + PARTNERS
OF_ITEM: Final = KEY
"""An item's own features need the columns before this one."""
SLOT_FIELDS: Final = 5
"""Columns of a slot, one side of a co-visit: the item, ts, the event's hash, the other item, weight (below 0: taken back)."""


def rows_of(contributions: Iterable[Contribution]) -> IntArray:
    """Contributions as rows, [C, WIDTH]."""
    rows = [
        (*each[:KEY], each.key, len(each.partners), *each.partners, *(0,) * (PARTNERS - len(each.partners)))
        for each in contributions
    ]
    return np.array(rows, np.int64).reshape(-1, WIDTH)


def slots_of_rows(rows: IntArray) -> IntArray:
    """The co-visits that rows add or take back, [S, SLOT_FIELDS] (`features.types.Slot`): each pair from both sides, as
    `features.fold.co_visits.slots_of` gives them."""
    counts = rows[:, PARTNER_COUNT]
    each = np.repeat(rows, counts, axis=0)
    starts = np.cumsum(counts) - counts
    which = np.arange(len(each)) - np.repeat(starts, counts)
    others = each[np.arange(len(each)), WIDTH - PARTNERS + which]
    slots = np.empty((len(each), 2, SLOT_FIELDS), np.int64)
    slots[:, 0, 0], slots[:, 1, 0] = each[:, ITEM_ID], others
    slots[:, 0, 3], slots[:, 1, 3] = others, each[:, ITEM_ID]
    slots[:, :, 1], slots[:, :, 2] = each[:, TS, None], each[:, KEY, None]
    slots[:, :, 4] = (each[:, SIGN] * each[:, WEIGHT])[:, None]
    return slots.reshape(-1, SLOT_FIELDS)
