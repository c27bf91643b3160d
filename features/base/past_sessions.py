"""The sessions of a history: which items one user was interested in between two silences (`features.units.ends_session`). What
their users took up next is what somebody in a session like them may want: V-SKNN, the nearest sessions (M. Ludewig, D. Jannach,
Evaluation of Session-based Recommendation Algorithms, UMUAI 28, 2018), with the paper's settings.

As arrays, which `features.base.reader` reads and `offline.item_weights.session_table` writes, sessions in the order of their
last events:

items    int64 [n], ascending: the items that stand in a session
ends     int64 [s]: the time of a session's last event, ms
starts   int64 [s + 1]: those of session k are members starts[k] … starts[k + 1] − 1
members  int32 [m]: indices into items, each once a session
"""

from typing import Final

import numpy as np

from features.arrays import BoolArray, IntArray
from features.base.item_weights import rows_of
from features.errors import Broken
from features.recall.compiled import scratch
from features.recall.session_sums import member_sums, shared_sessions
from features.types import Millis

SESSION_ARRAYS: Final = {"items": np.int64, "ends": np.int64, "starts": np.int64, "members": np.int32}
"""By name and type, in this order."""
NEIGHBOURS: Final = 500
SAMPLE: Final = 1_000
"""Sessions that are compared: the newest of those that share an item."""


class PastSessions:
    """The sessions of a catalogue whose items stand in rows; what names an item that has no row is left out. 8 bytes for each
    item of a session in memory.

    `rows` are the ids of the rows, in the order of rows. Raises Broken where the arrays don't fit together.
    """

    def __init__(self, rows: IntArray, items: IntArray, ends: IntArray, starts: IntArray, members: IntArray) -> None:
        if not _fit_together(items, ends, starts, members):
            raise Broken(
                f"sessions: {len(items)} items, {len(ends)} ends, {len(starts)} starts, {len(members)} members"
            )
        self._ends = np.asarray(ends)
        row_of, known = rows_of(items, rows, np.argsort(rows, kind="stable"))
        present = known[members] if len(items) else np.zeros(0, bool)
        sessions = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))[present]
        self._members = row_of[members[present]].astype(np.int32)
        self._starts = np.searchsorted(sessions, np.arange(len(starts)))
        by_item = np.argsort(self._members, kind="stable")
        self._with_item = sessions[by_item]
        """For each row the sessions that it stands in, the newest last."""
        self._with_item_starts = np.searchsorted(self._members[by_item], np.arange(len(rows) + 1))

    @classmethod
    def none(cls) -> "PastSessions":
        """No sessions."""
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, nothing, np.zeros(1, np.int64), nothing)

    def spread(self, session: IntArray, began: Millis, allowed: BoolArray) -> IntArray:
        """For each allowed row of the catalogue how much the sessions most like this one (rows [k], oldest first) speak for it,
        of those that had ended before it began (ms): the keys (`features.recall.sparse`) of those above 0.

        A session is as like this one as the positions here of the items that they share, from 1, summed; each of the
        NEIGHBOURS most alike, newer ones first, adds that to all its items, over how many items ago, from 1, the newest that
        they share was.
        """
        room, before = scratch(max(len(self._starts), len(self._with_item_starts))), np.searchsorted(self._ends, began)
        shared = shared_sessions(
            session, int(before), self._with_item, self._with_item_starts, SAMPLE, room.first, room.second, room.touched
        )
        if shared.shape[1] > SAMPLE:
            shared = shared.take(np.argpartition(-shared[0], SAMPLE)[:SAMPLE], axis=1)  # the newest
        order = np.argsort((-shared[1] << 32) - shared[0])[:NEIGHBOURS]  # of those as much alike the newest
        numbers, likeness, ago = shared.take(order, axis=1)
        size = len(self._with_item_starts) - 1
        sums = numbers, likeness / ago, self._starts, self._members, size, allowed
        return member_sums(*sums, room.sums, room.touched)


def _fit_together(items: IntArray, ends: IntArray, starts: IntArray, members: IntArray) -> bool:
    if len(starts) != len(ends) + 1 or starts[0] != 0 or starts[-1] != len(members):
        return False
    ascending = (np.diff(starts) >= 0).all() and (np.diff(ends) >= 0).all()
    return bool(ascending and (not len(members) or (members.min() >= 0 and members.max() < len(items))))
