"""The sessions of a history, as arrays in a folder (`features.base.past_sessions`)."""

from pathlib import Path
from typing import Final

import numpy as np

from features.arrays import AnyArray, BoolArray, IntArray
from features.base.past_sessions import SESSION_ARRAYS
from features.schema.tables import Schema
from offline.datasets.dataset import Dataset
from offline.datasets.event_rows import click_kinds, event_columns, sessions_of_acts

NEWEST: Final = 500_000
"""At most so many sessions, the newest: they stay in the memory of each process that ranks."""


def write_past_sessions(dataset: Dataset, rows: int, schema: Schema, out: Path) -> int:
    """Write the sessions of the first `rows` rows into the new folder `out`; how many there are. Memory is some 140 bytes a
    row."""
    users, items, times, kinds, weights = event_columns(dataset, rows, schema)
    signs = np.where(weights < 0, -1, (weights > 0) | np.isin(kinds, click_kinds(schema))).astype(np.int8)
    arrays = sessions_of(users, items, times, kinds, signs)
    out.mkdir(parents=True)
    for (name, kind), array in zip(SESSION_ARRAYS.items(), arrays, strict=True):
        np.save(out / f"{name}.npy", np.ascontiguousarray(array, kind))
    return len(arrays[1])


def sessions_of(
    users: IntArray, items: IntArray, times: IntArray, kinds: AnyArray, signs: AnyArray, limit: int = NEWEST
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """(items, ends, starts, members) of events (users, items, times in ms, kinds, signs [r]) in the log's order: the newest
    `limit` sessions with more than one item that its user was interested in and did not dislike. signs: 1 for an interest, −1
    for a dislike, else 0."""
    acts, sessions = sessions_of_acts(users, times, kinds)
    sessions, times, signs = sessions - 1, times[acts], signs[acts]
    ids, numbers = np.unique(items[acts], return_inverse=True)
    pairs = sessions * max(1, len(ids)) + numbers
    wanted: IntArray = np.setdiff1d(pairs[signs > 0], pairs[signs < 0])
    session_of, member_of = np.divmod(wanted, max(1, len(ids)))
    count = int(sessions[-1]) + 1 if len(sessions) else 0
    sizes, ends = np.bincount(session_of, minlength=count), np.zeros(count, np.int64)
    np.maximum.at(ends, sessions, times)
    some = np.flatnonzero(sizes > 1)
    newest = some[np.argsort(ends[some], kind="stable")][-limit:]
    number_of = np.full(count, -1)
    number_of[newest] = np.arange(len(newest))
    chosen: BoolArray = number_of[session_of] >= 0
    order = np.argsort(number_of[session_of[chosen]], kind="stable")
    present, members = np.unique(member_of[chosen][order], return_inverse=True)
    return ids[present], ends[newest], np.r_[0, np.cumsum(sizes[newest])], members
