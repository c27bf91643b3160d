"""The sessions of a history, as arrays in a folder (`features.base.past_sessions`)."""

from pathlib import Path
from typing import Final

import numpy as np

from features.arrays import BoolArray, IntArray
from features.base.past_sessions import SESSION_ARRAYS
from features.fold.event_weights import weights_of
from features.schema.tables import Schema
from features.units import SESSION_GAP_MS
from offline.datasets.dataset import Dataset, rows_between

NEWEST: Final = 500_000
"""Sessions, the newest: a million items of a large catalogue need no more to be compared with, and they stay in memory."""


def write_past_sessions(dataset: Dataset, rows: int, schema: Schema, out: Path) -> int:
    """Write the sessions of the first `rows` rows into the new folder `out`; how many there are. Memory is 24 bytes a row that
    says that its user is interested, and what it takes to order them."""
    users, items, times = _interests(dataset, rows, schema)
    ids, starts, members = sessions_of(users, items, times)
    out.mkdir(parents=True)
    for (name, kind), array in zip(SESSION_ARRAYS.items(), (ids, starts, members), strict=True):
        np.save(out / f"{name}.npy", np.ascontiguousarray(array, kind))
    return len(starts) - 1


def sessions_of(
    users: IntArray, items: IntArray, times: IntArray, limit: int = NEWEST
) -> tuple[IntArray, IntArray, IntArray]:
    """(items [n], starts [s + 1], members [m]) of events (users, items, times in ms [r]) in the log's order: the newest `limit`
    sessions of more than one item, by the time of their last event."""
    order = np.argsort(users, kind="stable")
    users, items, times = users[order], items[order], times[order]
    begins = np.ones(len(users), bool)
    begins[1:] = (users[1:] != users[:-1]) | (np.diff(times) > SESSION_GAP_MS)
    session = np.cumsum(begins) - 1
    ids, member = np.unique(items, return_inverse=True)
    pairs = np.unique(session * max(1, len(ids)) + member)
    session_of, member_of = np.divmod(pairs, max(1, len(ids)))
    sizes = np.bincount(session_of)
    ends = np.zeros(len(sizes), np.int64)
    np.maximum.at(ends, session, times)
    some = np.flatnonzero(sizes > 1)
    newest = some[np.argsort(ends[some], kind="stable")][-limit:]
    index = np.full(len(sizes), -1)
    index[newest] = np.arange(len(newest))
    indices = index[session_of]
    by_index = np.argsort(indices, kind="stable")[np.count_nonzero(indices < 0) :]
    return ids, np.r_[0, np.cumsum(sizes[newest])], member_of[by_index]


def _interests(dataset: Dataset, rows: int, schema: Schema) -> tuple[IntArray, IntArray, IntArray]:
    """(users, items, times) of the rows that say that their user is interested (`Schema.is_interest`)."""
    clicks = [kind.code for kind in schema.kinds if kind is not None and kind.click]
    found: list[tuple[IntArray, ...]] = [(np.zeros(0, np.int64),) * 3]
    for batch in rows_between(dataset, 0, rows):
        kinds = batch["kind"].to_numpy()
        good: BoolArray = np.isin(kinds, clicks) | (weights_of(schema, kinds, batch["centi"].to_numpy()) > 0)
        found.append(tuple(batch[name].to_numpy()[good].astype(np.int64) for name in ("user_id", "item_id", "ts")))
    users, items, times = (np.concatenate(each) for each in zip(*found, strict=True))
    return users, items, times
