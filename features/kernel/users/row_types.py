"""The rows that a user is made of, as NumPy records: numbers alone, with the names and meanings of `features.fold.state`.

One user is one USER, REMEMBERED rows for the events it has applied and HIDDEN rows for the items it has seen, both in the order
in which they came (`features.fold.dedupe`). What is text stays outside: the id, the attributes, and the names of tastes, which
rows hold by number (`features.kernel.users.taste_names`).
"""

from typing import Any, Final, NamedTuple

import numpy as np

from features.arrays import AnyArray, IntArray
from features.fold.co_visits import PARTNERS
from features.fold.decay import HALF_LIVES
from features.fold.state import RECENT, SEQUENCE, TASTES
from features.kernel.contribution_rows import FIELDS
from features.types import PROFILE


def record(*fields: tuple[Any, ...]) -> np.dtype[Any]:
    """A record type whose values have their fields as attributes, compiled and not."""
    return np.dtype((np.record, list(fields)))


Row = Any
"""One record, its fields as attributes."""
LATEST: Final = 1 << 53
"""Times up to here, ms, are plain; all others are far from every clock."""
CLICKS, POSITIVES, NEGATIVES = 0, len(HALF_LIVES), 2 * len(HALF_LIVES)
"""Where in a taste's weights each of the three begins."""

TASTE: Final = record(("name", "i8"), ("ts", "i8"), ("weights", "i8", (3 * len(HALF_LIVES),)))
LIKED: Final = record(("item_id", "i8"), ("ts", "i8"))
ACT: Final = record(("item_id", "i8"), ("ts", "i8"), ("kind", "i8"), ("centi", "i8"))
USER: Final = record(
    ("first_ts", "i8"),
    ("last_ts", "i8"),
    ("kinds_counted", "i8"),  # `counts` ends behind the largest kind there was
    ("counts", "i8", (PROFILE,)),
    ("duplicates", "i8"),
    ("late", "i8"),
    ("rating_sum", "i8"),
    ("rating_sq", "i8"),
    ("positives", "i8"),
    ("negatives", "i8"),
    ("taste_count", "i8"),
    ("tastes", TASTE, (TASTES,)),
    ("sequence_count", "i8"),
    ("sequence", LIKED, (SEQUENCE,)),
    ("recent_count", "i8"),
    ("recent", ACT, (RECENT,)),
    ("session_start", "i8"),
    ("session_newest", "i8"),
    ("session_events", "i8"),
    ("session_clicks", "i8"),
    ("gap", "i8"),
    ("activity", "i8", (len(HALF_LIVES),)),
    ("epochs", "i8", (len(HALF_LIVES),)),
    # Of the rows beside it:
    ("floor", "i8"),  # the tombstone
    ("remembered_rows", "i8"),  # in use, those that were dropped included
    ("remembered", "i8"),  # that count
    ("is_heap", "i8"),  # whether `heap` is one; else it means nothing
    ("hidden_rows", "i8"),
    ("hidden", "i8"),
    ("hidden_first", "i8"),  # no row before it counts
)

REMEMBERED: Final = record(
    ("key", "i8"),
    ("ts", "i8"),
    ("item_id", "i8"),
    ("centi", "i8"),
    ("partners", "i8", (PARTNERS,)),
    ("weight", "i4"),
    ("kind", "u1"),
    ("undone", "u1"),
    ("partner_count", "u1"),
    ("counts", "u1"),  # 0: dropped
)
"""An applied event, `features.fold.dedupe.Applied`, under the hash of its id: 64 bytes."""

HIDDEN: Final = record(("item_id", "i8"), ("n", "i8"), ("until", "i8"))
"""An item that is hidden, and until when; `until` 0: a row that does not count any more."""

EVENT: Final = record(
    ("key", "i8"),
    ("ts", "i8"),
    ("kind", "i8"),
    ("item_id", "i8"),
    ("centi", "i8"),
    ("n", "i8"),
    ("tastes_start", "i8"),
    ("tastes_stop", "i8"),
    ("target", "i8"),
)
"""An event; its item's tastes are numbers[tastes_start:tastes_stop] of an array beside it. Of an undo, `target` is the key of the
event that it takes back, and the tastes are those of that one's item."""

OUTCOME: Final = record(("verdict", "i8"), *((name, "i8") for name in FIELDS), ("partners", "i8", (PARTNERS,)))
"""What an event has become, and if it was applied, what it adds to its item: a row of `features.kernel.contribution_rows`. One of
sign 0 adds nothing."""

KIND: Final = record(("click", "i8"), ("repeats", "i8"), ("hide", "i8"), ("steps_start", "i8"), ("steps_stop", "i8"))
"""`features.schema.tables.Kind`; its weights are rows [start, stop) of the steps, (value, weight) each."""


class User(NamedTuple):
    """The arrays of one user.

    user      [1] USER
    events    [E] REMEMBERED; `event_of` finds their keys (`features.kernel.row_index`)
    event_of  int32
    heap      int32 [E]: rows by time, the oldest first, as a heap, once so many are remembered as may be
    items     [I] HIDDEN; `item_of` finds their item ids
    item_of   int32
    """

    user: AnyArray
    events: AnyArray
    event_of: AnyArray
    heap: AnyArray
    items: AnyArray
    item_of: AnyArray


class Rules(NamedTuple):
    """A schema as arrays.

    kinds   [K] KIND by code
    steps   int64 [S, 2]: (value in hundredths, weight in units)
    limits  int64 [4]: unit of weights, ms between positives that are co-visits, how many events are remembered, items hidden
    """

    kinds: AnyArray
    steps: IntArray
    limits: IntArray


UNIT, TOGETHER, MAX_REMEMBERED, MAX_HIDDEN = range(4)
"""What stands where in the limits of Rules."""


class Names(NamedTuple):
    """Names of tastes: name k is UTF-8 in texts[starts[k]:starts[k + 1]]."""

    texts: AnyArray
    starts: IntArray


class Written(NamedTuple):
    """What a fold writes.

    data    uint8: journal records, then the features
    ends    int64 [R]: where each journal record ends
    hidden  int64 [H, 2]: (item, until when it is hidden now; 0: not any more)
    sizes   int64 [7]: bytes of the records, and of all; how many records, and changes of `hidden`; rows in use of events, and of
            items; how many events are remembered and items hidden
    """

    data: AnyArray
    ends: IntArray
    hidden: IntArray
    sizes: IntArray


RECORD_BYTES, ALL_BYTES, RECORDS, CHANGED, EVENT_ROWS, ITEM_ROWS, SIZE = range(7)
"""What stands where in the sizes of Written."""
APPLIED, DUPLICATE, LATE = range(3)
"""Verdicts of OUTCOME."""
