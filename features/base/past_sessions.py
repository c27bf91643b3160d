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

from features.arrays import FloatArray, IntArray
from features.base.item_weights import rows_of
from features.errors import Broken
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

    def spread(self, session: IntArray, began: Millis, size: int) -> FloatArray:
        """[size] for each row of the catalogue how much the sessions most like this one (rows [k], oldest first) speak for it, of
        those that had ended before it began (ms).

        A session is as like this one as the positions here of the items that they share, from 1, summed; each of the
        NEIGHBOURS most alike, newer ones first, adds that to all its items, over how many items ago, from 1, the newest that
        they share was.
        """
        last = {row: at for at, row in enumerate(session.tolist()) if row < len(self._with_item_starts) - 1}
        before = int(np.searchsorted(self._ends, began))
        shared = [(at, self._newest_with(row, before)) for row, at in sorted(last.items(), key=lambda each: each[1])]
        if not shared or not sum(len(found) for _, found in shared):
            return np.zeros(size, np.float32)
        positions = np.repeat([at for at, _ in shared], [len(found) for _, found in shared])
        sessions, which = np.unique(np.concatenate([found for _, found in shared]), return_inverse=True)
        likeness = np.bincount(which, positions + 1)
        ago = np.empty(len(sessions), np.int64)
        ago[which] = len(session) - positions  # in the order of positions: of several that are shared the newest stays
        newest = slice(max(0, len(sessions) - SAMPLE), None)
        sessions, likeness, ago = sessions[newest][::-1], likeness[newest][::-1], ago[newest][::-1]
        near = np.argsort(-likeness, kind="stable")[:NEIGHBOURS]
        starts = self._starts[sessions[near]]
        counts = self._starts[sessions[near] + 1] - starts
        ends = np.cumsum(counts)
        members = self._members[np.arange(ends[-1]) + np.repeat(starts - ends + counts, counts)]
        return np.bincount(members, np.repeat(likeness[near] / ago[near], counts), size).astype(np.float32)

    def _newest_with(self, row: int, before: int) -> IntArray:
        start, end = self._with_item_starts[row : row + 2]
        end = start + np.searchsorted(self._with_item[start:end], before)
        found: IntArray = self._with_item[max(start, end - SAMPLE) : end]
        return found


def _fit_together(items: IntArray, ends: IntArray, starts: IntArray, members: IntArray) -> bool:
    if len(starts) != len(ends) + 1 or starts[0] != 0 or starts[-1] != len(members):
        return False
    ascending = (np.diff(starts) >= 0).all() and (np.diff(ends) >= 0).all()
    return bool(ascending and (not len(members) or (members.min() >= 0 and members.max() < len(items))))
