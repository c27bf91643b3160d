"""Features of items as rows, and what contributions and impressions do to them, compiled: `features.fold.item`, step by step the
same.
"""

from typing import Final

import numpy as np

from features.arrays import AnyArray, IntArray
from features.fold.state import DAYS
from features.kernel.contribution_rows import CENTI, KIND, SIGN, TS, WEIGHT
from features.kernel.users.row_types import Row, record
from features.recall.compiled import compiled
from features.types import IMPRESSION, PROFILE, RATING
from features.units import DAY_MS

NUMBER, IMPRESSIONS, CLICKS, EVENTS, POSITIVES = range(5)
"""What stands where in a day."""
NO_DAY: Final = -1
ITEM: Final = record(
    ("n", "i8"),
    ("first_ts", "i8"),
    ("last_ts", "i8"),
    ("kinds_counted", "i8"),  # `counts` ends behind the largest kind there was
    ("counts", "i8", (PROFILE,)),
    ("rating_sum", "i8"),
    ("rating_sq", "i8"),
    ("positives", "i8"),
    ("negatives", "i8"),
    ("day_count", "i8"),
    ("days", "i8", (DAYS, 5)),
    # Of the row:
    (
        "acted",
        "i8",
    ),  # whether more than impressions of an item that had been shown before came since it was last written
)
"""`features.fold.state.ItemFeatures`, but for the id; and what the job goes by when it decides which items to write now."""
COUNT, OLDEST, NEWEST = range(1, 4)
"""Columns of impressions (`features.types.Impressions`)."""


@compiled
def fold_acts(items: AnyArray, clicks: AnyArray, rows: IntArray, events: IntArray) -> int:
    """Fold events, [E, OF_ITEM] (`features.kernel.contribution_rows`), each into its row. clicks: [K], by kind, whether it is a
    click. Returns how many are more than an impression of an item that had been shown before."""
    acted = 0
    for at in range(len(rows)):
        item, event = items[rows[at]], events[at]
        ts, kind, sign, weight = event[TS], event[KIND], event[SIGN], event[WEIGHT]
        if item.n == 0 or kind != IMPRESSION:
            item.acted = 1
            acted += 1
        item.first_ts = ts if item.n == 0 else min(item.first_ts, ts)
        item.last_ts = max(item.last_ts, ts)
        item.n += 1
        item.kinds_counted = max(item.kinds_counted, kind + 1)
        item.counts[kind] += sign
        if kind == RATING:
            item.rating_sum += sign * event[CENTI]
            item.rating_sq += sign * event[CENTI] * event[CENTI]
        positive = sign * weight if weight > 0 else 0
        item.positives += positive
        if weight < 0:
            item.negatives -= sign * weight
        impression = sign if kind == IMPRESSION else 0
        day = _day_of(item, ts // DAY_MS)
        if day != NO_DAY:
            item.days[day, IMPRESSIONS] += impression
            item.days[day, CLICKS] += sign if clicks[kind] else 0
            item.days[day, EVENTS] += sign - impression
            item.days[day, POSITIVES] += positive
    return acted


@compiled
def fold_shown(items: AnyArray, rows: IntArray, shown: IntArray) -> int:
    """Fold impressions, [S, 4], each into its row. Returns how many items had not been shown before."""
    acted = 0
    for at in range(len(rows)):
        item, impressions = items[rows[at]], shown[at]
        if item.n == 0:
            item.acted = 1
            acted += 1
        if item.n == 0 or impressions[OLDEST] < item.first_ts:
            item.first_ts = impressions[OLDEST]
        item.last_ts = max(item.last_ts, impressions[NEWEST])
        item.n += impressions[COUNT]
        item.counts[IMPRESSION] += impressions[COUNT]
        day = _day_of(item, impressions[OLDEST] // DAY_MS)
        if day != NO_DAY:
            item.days[day, IMPRESSIONS] += impressions[COUNT]
    return acted


@compiled
def _day_of(item: Row, number: int) -> int:
    """Which of an item's days has that number, a new one if none has; NO_DAY for one older than all that there is room for."""
    count: int = item.day_count
    at = count
    while at > 0 and item.days[at - 1, NUMBER] > number:
        at -= 1
    if at > 0 and item.days[at - 1, NUMBER] == number:
        return at - 1
    if count == DAYS:
        if at == 0:
            return NO_DAY
        at -= 1
        for day in range(at):
            item.days[day] = item.days[day + 1]
    else:
        for day in range(count, at, -1):
            item.days[day] = item.days[day - 1]
        item.day_count += 1
    item.days[at] = 0
    item.days[at, NUMBER] = number
    return at


def clicks_of(kinds: AnyArray) -> AnyArray:
    """Whether each kind is a click, uint8 [K], of the KINDs of a schema's rules."""
    return np.ascontiguousarray(kinds["click"] != 0, np.uint8)
