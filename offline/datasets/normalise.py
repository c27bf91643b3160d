"""Raw ratings → one Parquet file in the order of time: checked, repetitions once. All in columns.

Rows of one second stand in the order of a hash of (user, item, second). In the order of ids, or in any that is the same for all
users, a sequence model learns that order and not what people like: three quarters of MovieLens 100K's newest fifth share
their second with other rows of their user.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.arrays import DoubleArray, IntArray
from features.durable import atomic_file, write_whole
from features.errors import BadInput
from features.types import MAX_ID
from offline.datasets import column_parsing
from offline.datasets.movie_catalogue import read_items
from offline.datasets.raw_files import RATINGS, line_of, read_columns
from offline.datasets.rejected_lines import Rejects, refuse_if_too_many
from offline.datasets.sources import Source

NORMAL_VERSION: Final = 3
"""Rises when the same source would give other rows."""
GROUP_ROWS: Final = 1 << 19
SCHEMA: Final = pa.schema(
    [
        pa.field("user_id", pa.int64(), False),
        pa.field("item_id", pa.int64(), False),
        pa.field("rating", pa.float64(), False),
        pa.field("ts", pa.int64(), False),
    ]
)
_TYPES: Final = (pa.int64(), pa.int64(), pa.float64(), pa.int64())
_WHY: Final = (
    f"user id not a whole number from 0 to {MAX_ID}",
    f"movie id not a whole number from 0 to {MAX_ID}",
    "rating not a number from 0.5 to 5",
    "timestamp not in whole seconds from 1970 to now",
)

RowColumns = tuple[IntArray, IntArray, DoubleArray, IntArray]


def normalise(source: Source, ratings: Path, items: Path, rejects: Rejects, data_dir: Path) -> dict[str, int]:
    """Write `ratings` and `items`; rows, first_ts, last_ts (ms) and duplicates of what was written.

    Raises BadInput for files that are no data set, have more than 10 % bad lines, or no good one.
    """
    catalogue = read_items(source.movies, rejects, data_dir)
    rows = _read_rows(source.ratings, rejects, data_dir)
    order, duplicates = _order(rows)
    with atomic_file(ratings) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        for batch in _sorted_batches(rows, order):
            writer.write_batch(batch, row_group_size=GROUP_ROWS)
    write_whole(items, msgspec.msgpack.encode(catalogue))
    seconds = rows[3]
    return {
        "rows": len(order),
        "first_ts": int(seconds[order[0]]) * 1000,
        "last_ts": int(seconds[order[-1]]) * 1000,
        "duplicates": duplicates,
    }


def _read_rows(path: Path, rejects: Rejects, data_dir: Path) -> RowColumns:
    """Users, items, ratings, seconds of the good lines, in the file's order."""
    layout = RATINGS.get(path.suffix)
    if layout is None:
        raise BadInput(str(path), "a suffix of " + ", ".join(RATINGS), path.suffix or "none")
    raw, torn = read_columns(path, layout, _TYPES, rejects)
    latest = int(time.time()) + 60  # what is further in the future, the event contract refuses
    typed = [
        column_parsing.whole_numbers(raw.column(0)),
        column_parsing.whole_numbers(raw.column(1)),
        column_parsing.ratings(raw.column(2)),
        column_parsing.whole_numbers(raw.column(3), latest),
    ]
    bad = np.zeros(len(raw), bool)
    for column in typed:
        if column.null_count:
            bad |= column_parsing.numbers(pc.is_null(column))
    bad_rows = np.flatnonzero(bad)
    rejects.count += len(bad_rows)
    for row in bad_rows[: rejects.room].tolist():
        why = next(why for why, column in zip(_WHY, typed, strict=True) if not column[row].is_valid)
        rejects.keep(path.name, why, line_of(raw, row, layout.delimiter))
    good = len(raw) - len(bad_rows)
    refuse_if_too_many(path, torn + len(bad_rows), good, rejects, data_dir)
    if not good:
        raise BadInput(str(path), "at least one rating", "none")
    if len(bad_rows):
        keep = pa.array(~bad)
        typed = [column.filter(keep) for column in typed]
    users, items, values, seconds = (column_parsing.numbers(column) for column in typed)
    return users, items, values, seconds


def _order(rows: RowColumns) -> tuple[IntArray, int]:
    """Positions of the rows by (second, hash of all three, user, item), of equal ones the first alone; and how many are left
    out."""
    users, items, _, seconds = rows
    order = np.lexsort((items, users, tie_hash(users, items, seconds), seconds))  # stable
    repeated = np.ones(max(len(order) - 1, 0), bool)
    for column in (seconds, users, items):
        ordered = column[order]
        repeated &= ordered[1:] == ordered[:-1]
    duplicates = int(repeated.sum())
    if duplicates:
        order = order[np.concatenate([[True], ~repeated])]
    return order, duplicates


def tie_hash(users: IntArray, items: IntArray, seconds: IntArray) -> IntArray:
    """[n] by which rows of one second are ordered: each column mixed in by the finaliser of SplitMix64 (Steele et al., 2014)."""
    mixed = np.zeros(len(users), np.uint64)
    for column in (seconds, users, items):
        mixed += column.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed.view(np.int64)


def _sorted_batches(rows: RowColumns, order: IntArray) -> Iterator[pa.RecordBatch]:
    users, items, values, seconds = rows
    for start in range(0, len(order), GROUP_ROWS):
        at = order[start : start + GROUP_ROWS]
        arrays = [pa.array(values_) for values_ in (users[at], items[at], values[at], seconds[at] * 1000)]
        yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
