"""A data set in the one form that all of offline and `replay` read: rows in the order of time, and items.

<data_dir>/<name>/sorted-ratings.parquet   user_id, item_id int64, rating float64, ts int64 (ms)
                  items.msgpack            the catalogue
                  stamp.json               what they were made of; opening again is instant while that is unchanged
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.durable import write_whole
from features.errors import BadInput, Broken
from features.types import RATING, Event, Item
from offline.datasets.normalise import NORMAL_VERSION, normalise
from offline.datasets.rejected_lines import FILE, Rejects
from offline.datasets.sources import DEFAULT, KNOWN, Source, find_source

__all__ = [
    "DEFAULT",
    "KNOWN",
    "Dataset",
    "cut_row",
    "event_id",
    "event_of",
    "open_dataset",
    "rows_between",
    "ts_of_row",
]

_STAMP: Final = "stamp.json"
_items_decoder = msgspec.msgpack.Decoder(list[Item])


@dataclass(frozen=True)
class Dataset:
    """A data set, normalised.

    ratings   Parquet file, sorted by ts, rows of one second by `normalise.tie_hash`: user_id, item_id int64, rating float64,
              ts int64 ms
    items     the catalogue, ascending by id
    rows      ratings in the file; first_ts, last_ts their oldest and newest, ms
    rejected  lines that were out of contract; duplicates rows that were there twice
    """

    name: str
    ratings: Path
    items: list[Item]
    rows: int
    first_ts: int
    last_ts: int
    rejected: int = 0
    duplicates: int = 0


def open_dataset(name_or_folder: str, data_dir: Path) -> Dataset:
    """A known data set or a folder of MovieLens' shape, normalised under `data_dir`/<name>.

    Raises BadInput for what is no data set, Unavailable for one that can't be downloaded, Broken for a bad download.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    source = find_source(name_or_folder, data_dir)
    folder = data_dir / source.name
    folder.mkdir(parents=True, exist_ok=True)
    ratings, items, stamp = folder / "sorted-ratings.parquet", folder / "items.msgpack", folder / _STAMP
    made_of = _made_of(source)
    known = _read_stamp(stamp)
    if known.get("made_of") != made_of or not (ratings.exists() and items.exists()):
        stamp.unlink(missing_ok=True)
        rejects = Rejects()
        shape = normalise(source, ratings, items, rejects, data_dir)
        known = {"made_of": made_of, **shape, "rejected": rejects.count}
        if rejects.count:
            rejects.write(data_dir)
            print(f"{source.name}: {rejects.count} bad lines left out, see {data_dir / FILE}", flush=True)
        write_whole(stamp, json.dumps(known, indent=1).encode())
    return Dataset(
        source.name,
        ratings,
        _items_decoder.decode(items.read_bytes()),
        *(int(known[name]) for name in ("rows", "first_ts", "last_ts", "rejected", "duplicates")),
    )


def _made_of(source: Source) -> list[Any]:
    """The fingerprint of the source's state: its files' paths, sizes and times, and our version."""
    files = [(path, path.stat()) for path in (source.ratings, source.movies)]
    return [NORMAL_VERSION, *([str(path.resolve()), stat.st_size, stat.st_mtime_ns] for path, stat in files)]


def _read_stamp(path: Path) -> dict[str, Any]:
    try:
        stamp = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def event_id(name: str, user_id: int, item_id: int, ts: int) -> str:
    """The id of a row's event, the same in every run: at most 64 characters. `ts` in ms.

    >>> event_id("ml-100k", 196, 242, 881250949000)
    'ml-100k:196:242:881250949'
    """
    full = f"{name}:{user_id}:{item_id}:{ts // 1000}"
    if len(full) <= 64:
        return full
    return f"{name[:23]}:{blake2b(full.encode(), digest_size=20).hexdigest()}"


def event_of(name: str, user_id: int, item_id: int, rating: float, ts: int) -> Event:
    """A row as the event that `replay` sends and Spark folds. `ts` in ms."""
    centi = math.floor(rating * 100 + 0.5)
    return Event(event_id(name, user_id, item_id, ts), RATING, user_id, item_id, centi, "", ts)


def cut_row(dataset: Dataset, history: float) -> int:
    """The number of rows, from the first, that are history: floor(history · rows). Raises BadInput unless 0 ≤ history ≤ 1."""
    if not 0 <= history <= 1:
        raise BadInput("history", "a share from 0 to 1", str(history))
    # 0.29 · 100 is 28.999…96 in floating point: forgive what is less than a millionth of a row.
    return math.floor(history * dataset.rows + 1e-6)


def rows_between(dataset: Dataset, start_row: int, end_row: int, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
    """Rows `start_row` ≤ row < `end_row` in the data set's order, at most `batch_rows` at a time.

    Raises Broken if the file is not whole.
    """
    try:
        file = pq.ParquetFile(dataset.ratings)
    except (OSError, pa.ArrowInvalid) as error:
        folder = dataset.ratings.parent
        raise Broken(f"{dataset.ratings} can't be read ({error}); remove {folder / _STAMP} and start again") from error
    with file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).tolist()
        wanted = [group for group in range(len(sizes)) if starts[group + 1] > start_row and starts[group] < end_row]
        if not wanted:
            return
        at = starts[wanted[0]]
        for batch in file.iter_batches(batch_size=batch_rows, row_groups=wanted):
            low, high = max(start_row - at, 0), min(end_row - at, batch.num_rows)
            at += batch.num_rows
            if low < high:
                yield batch.slice(low, high - low)
            if at >= end_row:
                return


def ts_of_row(dataset: Dataset, row: int) -> int:
    """Time of a row, ms; 0 for a row that is not there, such as the one before the first."""
    for batch in rows_between(dataset, max(row, 0), row + 1):
        return int(batch["ts"][0].as_py())
    return 0


def row_at(dataset: Dataset, ts: int) -> int:
    """The first row at or after a time (ms); the number of rows if there is none."""
    row = 0
    for batch in rows_between(dataset, 0, dataset.rows):
        times = batch["ts"].to_numpy()
        if len(times) and times[-1] >= ts:
            return row + int(np.searchsorted(times, ts))
        row += len(times)
    return row
