"""MovieLens' raw files → the history: each rating checked, all in columns."""

import time
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.durable import write_whole
from features.errors import BadInput
from features.types import KINDS, MAX_ID, RATING
from offline.datasets.event_history import Happened, write_history
from offline.datasets.movielens import column_parsing
from offline.datasets.movielens.movie_catalogue import read_items
from offline.datasets.raw_files import RATINGS, line_of, read_columns
from offline.datasets.rejected_lines import Rejects, refuse_if_too_many
from offline.datasets.sources import Source

_TYPES: Final = (pa.int64(), pa.int64(), pa.float64(), pa.int64())
_WHY: Final = (
    f"user id not a whole number from 0 to {MAX_ID}",
    f"movie id not a whole number from 0 to {MAX_ID}",
    "rating not a number from 0.5 to 5",
    "timestamp not in whole seconds from 1970 to now",
)


def normalise(source: Source, history: Path, items: Path, rejects: Rejects, data_dir: Path) -> dict[str, int]:
    """Write `history` and `items`; rows, first_ts, last_ts (ms) and duplicates of what was written.

    Raises BadInput for files that are no data set, have more than 10 % bad lines, or no good one.
    """
    catalogue = read_items(source.movies, rejects, data_dir)
    rows = _read_rows(source.ratings, rejects, data_dir)
    shape = write_history(rows, history)
    write_whole(items, msgspec.msgpack.encode(catalogue))
    return shape


def _read_rows(path: Path, rejects: Rejects, data_dir: Path) -> Happened:
    """The good lines, in the file's order."""
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
    count = len(users)
    centis = np.floor(values * 100 + 0.5).astype(np.int64)
    kinds, valued = np.zeros(count, np.int64), np.ones(count, bool)
    return Happened(users, items, kinds, centis, valued, seconds * 1000, (KINDS[RATING],))
