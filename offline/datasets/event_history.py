"""The history of a data set as a home keeps it for good: what happened, in the outside's words, in the order of time.

One Parquet file, whatever it was read from, and without regard to any schema: `offline.datasets.schema_rows` makes of it what a
schema takes. user, item and kind are text, centi is the value in hundredths or null (-1: there was something else), ts is in ms,
context is a JSON object of what was said of the circumstances, "" for nothing; histories of earlier versions have no such column.

Rows of one second stand in the order of a hash of (user, item, second). In the order of ids, or in any that is the same for all
users, a sequence model learns that order and not what people like: three quarters of MovieLens 100K's newest fifth share
their second with other rows of their user.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import BoolArray, IntArray
from features.durable import atomic_file

HISTORY_VERSION: Final = 1
"""Rises when the same files would give another history."""
GROUP_ROWS: Final = 1 << 19
_WORDS: Final = pa.dictionary(pa.int32(), pa.string())
HISTORY: Final = pa.schema(
    [
        pa.field("user", _WORDS, False),
        pa.field("item", _WORDS, False),
        pa.field("kind", _WORDS, False),
        pa.field("centi", pa.int64(), True),
        pa.field("ts", pa.int64(), False),
        pa.field("context", _WORDS, False),
    ]
)


class Happened(NamedTuple):
    """Rows as they were read, in any order.

    users, items  inside ids [n]
    user, item    the outer ids, text [n]; None where every one is a number, which stands for itself
    events        hashes of the events' own ids [n], 0 for one without; None where none has any
    context       JSON objects, text [n]; None where every one is ""
    kinds         [n] indices into `names`, which stand in the order that rows have which differ in nothing else
    centis        values in hundredths [n], where `valued`
    times         ms [n]
    """

    users: IntArray
    items: IntArray
    kinds: IntArray
    centis: IntArray
    valued: BoolArray
    times: IntArray
    names: tuple[str, ...]
    user: pa.Array | None = None
    item: pa.Array | None = None
    events: IntArray | None = None
    context: pa.Array | None = None


def write_history(rows: Happened, path: Path) -> dict[str, int]:
    """Write the rows in their order, repetitions once; rows, first_ts, last_ts (ms) and duplicates of what was written.

    Of the events of a user that have an id of their own, the rows of one id are one event: the first in time, or among the
    rows, counts. Else a row equal to another in user, item, kind and time is a repetition, unless both have ids: then they are
    set a millisecond apart, so that nobody takes them for one.
    """
    repeated = 0
    if rows.events is not None:
        first = _first_of_each_event(rows, rows.events)
        repeated = len(rows.times) - len(first)
        rows, again = _apart(_rows_at(rows, first), rows.events[first])
        repeated += again
    order, duplicates = _order(rows)
    duplicates += repeated
    with atomic_file(path) as temporary, pq.ParquetWriter(temporary, HISTORY, compression="zstd") as writer:
        for batch in _sorted_batches(rows, order):
            writer.write_batch(batch, row_group_size=GROUP_ROWS)
    return {
        "rows": len(order),
        "first_ts": int(rows.times[order[0]]) if len(order) else 0,
        "last_ts": int(rows.times[order[-1]]) if len(order) else 0,
        "duplicates": duplicates,
    }


def tie_hash(users: IntArray, items: IntArray, seconds: IntArray) -> IntArray:
    """[n] by which rows of one second are ordered: each column mixed in by the finaliser of SplitMix64 (Steele et al., 2014)."""
    mixed = np.zeros(len(users), np.uint64)
    for column in (seconds, users, items):
        mixed += column.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed.view(np.int64)


def _first_of_each_event(rows: Happened, events: IntArray) -> IntArray:
    """Ascending positions of the rows without those whose user has an earlier one of the same event."""
    order = np.lexsort((rows.times, events, rows.users))  # stable
    again = np.zeros(len(order), bool)
    again[1:] = (np.diff(rows.users[order]) == 0) & (np.diff(events[order]) == 0) & (events[order][1:] != 0)
    return np.sort(order[~again])


def _rows_at(rows: Happened, at: IntArray) -> Happened:
    """The rows at some positions, without their events' ids."""
    users, items, kinds, centis = (column[at] for column in (rows.users, rows.items, rows.kinds, rows.centis))
    words = (rows.user, rows.item, rows.context)
    user, item, context = (None if text is None else text.take(pa.array(at)) for text in words)
    valued, times = rows.valued[at], rows.times[at]
    return Happened(users, items, kinds, centis, valued, times, rows.names, user, item, context=context)


def _apart(rows: Happened, events: IntArray) -> tuple[Happened, int]:
    """The rows without repetitions, each at a time at which its user did the same to the item once; and how many are left out."""
    order = np.lexsort((events, rows.times, rows.kinds, rows.items, rows.users))
    order = order[~_has_id_elsewhere(rows, events, order)]
    same = _equal(order, rows.users, rows.items, rows.kinds)
    again = same & _equal(order, rows.times, events)
    left = np.concatenate([[True], ~again])[: len(order)]
    order, follows = order[left], np.concatenate([[False], same])[: len(order)][left]
    times = rows.times.copy()
    crowded = follows & np.concatenate([[False], np.diff(times[order]) == 0])[: len(order)]
    if crowded.any():
        group = np.cumsum(~follows)
        for at in np.flatnonzero(np.isin(group, group[crowded]) & follows).tolist():
            times[order[at]] = max(times[order[at]], times[order[at - 1]] + 1)
    return _rows_at(rows._replace(times=times), np.sort(order)), len(rows.times) - len(order)


def _has_id_elsewhere(rows: Happened, events: IntArray, order: IntArray) -> BoolArray:
    """[n] which rows in this order have no id where another one of their user, item, kind and time, which lie together, has."""
    begins = np.concatenate([[True], ~_equal(order, rows.users, rows.items, rows.kinds, rows.times)])[: len(order)]
    group, has_id = np.cumsum(begins), events[order] != 0
    elsewhere: BoolArray = ~has_id & (np.bincount(group, has_id)[group] > 0)
    return elsewhere


def _equal(order: IntArray, *columns: IntArray) -> BoolArray:
    """[n - 1] which rows in this order are equal in these columns to the one before them."""
    equal = np.ones(max(len(order) - 1, 0), bool)
    for column in columns:
        equal &= column[order][1:] == column[order][:-1]
    return equal


def _order(rows: Happened) -> tuple[IntArray, int]:
    """Positions of the rows by (time, hash of user, item and second, user, item, kind); of those equal in time, user, item and
    kind the first alone; and how many are left out."""
    ties = tie_hash(rows.users, rows.items, rows.times // 1000)
    order = np.lexsort((rows.kinds, rows.items, rows.users, ties, rows.times))  # stable
    repeated = _equal(order, rows.times, rows.users, rows.items, rows.kinds)
    duplicates = int(repeated.sum())
    if duplicates:
        order = order[np.concatenate([[True], ~repeated])]
    return order, duplicates


def _sorted_batches(rows: Happened, order: IntArray) -> Iterator[pa.RecordBatch]:
    names = pa.array(rows.names, pa.string())
    for start in range(0, len(order), GROUP_ROWS):
        at = order[start : start + GROUP_ROWS]
        arrays = [
            _words(rows.users, rows.user, at),
            _words(rows.items, rows.item, at),
            pa.DictionaryArray.from_arrays(pa.array(rows.kinds[at], pa.int32()), names),
            pa.array(rows.centis[at], pa.int64(), mask=~rows.valued[at]),
            pa.array(rows.times[at]),
            _nothing(len(at)) if rows.context is None else _taken(rows.context, at),
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=HISTORY)


def _words(numbers: IntArray, text: pa.Array | None, at: IntArray) -> pa.DictionaryArray:
    """Outer ids as words: the text where there is one, else the numbers' decimals."""
    if text is not None:
        return _taken(text, at)
    unique, indices = np.unique(numbers[at], return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(unique).cast(pa.string()))


def _taken(text: pa.Array, at: IntArray) -> pa.DictionaryArray:
    taken = text.take(pa.array(at))
    plain = taken.dictionary_decode() if pa.types.is_dictionary(taken.type) else taken
    return plain.cast(pa.string()).dictionary_encode()


def _nothing(count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([""]))
