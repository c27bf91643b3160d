"""A data set in the one form that all of offline and `replay` read: rows in the order of time, and items.

<data_dir>/<name>/history.parquet   what happened (`offline.datasets.event_history`); kept for good, whatever becomes of the files
                  items.msgpack     the catalogue
                  users.parquet     what is known of users, where anything is (`offline.datasets.user_profiles`)
                  taken.json        what they were made of, what was left out, and what the values are (`offline.datasets.taking`)
                  chosen.json       where there are several of the same files: which one was described last
                  rows.parquet      what the schema takes of the history (`offline.datasets.schema_rows`); made again at need
                  rows.json         by which schema
"""

import json
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
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
from features.schema.tables import Schema, preset_schema
from features.types import RATING, Event, Item, ItemId, Millis, UserId
from offline.datasets.dataset_names import NONE
from offline.datasets.rejected_lines import LEFT_OUT, Rejects
from offline.datasets.schema_rows import ROWS_VERSION, take_items, write_rows
from offline.datasets.sources import DEFAULT, KNOWN
from offline.datasets.taking import HISTORY, ITEMS, STAMP, keep_dataset, read_json, take
from offline.datasets.user_profiles import KNOWN_UNTIL

__all__ = [
    "DEFAULT",
    "KNOWN",
    "NONE",
    "Dataset",
    "EventRow",
    "cut_row",
    "event_id",
    "event_of",
    "keep_dataset",
    "open_dataset",
    "rows_between",
    "ts_of_row",
    "whole_rows",
]

COLUMNS: Final = ("user_id", "item_id", "kind", "centi", "ts")
"""Of a row, without the ids outside …"""
WORDS: Final = ("user", "item", "context")
"""… and those, and what it says of its circumstances."""
EventRow = tuple[UserId, ItemId, int, int, Millis, str, str, str]
"""COLUMNS and WORDS of a row, as `event_of` takes them: user, item, code of the kind, value in hundredths, ts in ms, the ids
outside of user and item, "" for numbers, and the context as canonical JSON."""
ROWS_FILE: Final = "rows.parquet"
LEFT_FILE: Final = "left-{}.parquet"
"""What is left of the rows without users who are forgotten, by a digest of which rows are not."""
_items_decoder = msgspec.msgpack.Decoder(list[Item])


@dataclass(frozen=True)
class Dataset:
    """A data set, as a schema takes it.

    ratings   Parquet file of the rows (`offline.datasets.schema_rows.ROWS`), in the history's order
    items     the catalogue, ascending by id
    rows      rows in the file; first_ts, last_ts their oldest and newest, ms
    rejected  lines that were out of contract; duplicates rows that were there twice
    left_out  reason → rows of the history that the schema does not take
    clock     "wall": new events come from now on; "data": the home's time goes on from the history's end
    removed   numbers of rows, ascending, that the file lacks, since their users are forgotten
              (`offline.base.forgotten_users`); `rows`, first_ts and last_ts are those of the whole data set
    until     of what was made of the log: the home's time (ms) of the newest record; an event may be ahead of it. -1 for files
    """

    name: str
    ratings: Path
    items: list[Item]
    rows: int
    first_ts: int
    last_ts: int
    rejected: int = 0
    duplicates: int = 0
    left_out: tuple[tuple[str, int], ...] = ()
    clock: str = "data"
    removed: tuple[int, ...] = ()
    until: Millis = -1

    def left(self, rows: int) -> int:
        """How many of the whole data set's first `rows` rows are in the file."""
        return rows - bisect_left(self.removed, rows)


def open_dataset(given: str, data_dir: Path, schema: Schema | None = None, bases: Path | None = None) -> Dataset:
    """A known data set, a folder of files, a `dataset.toml`, or `none`, as a schema takes it (None: the one for films); or
    `data_dir`/<name>, what was taken before.

    It is taken into `data_dir`/<name> the first time, and from then on read there, whatever becomes of the files. bases: given by
    who makes a base, the folder of those that there are; what none of them was made of is taken anew. Raises BadInput for what is
    no data set, Unavailable for one that can't be downloaded, Broken for a bad download.
    """
    means = preset_schema() if schema is None else schema
    data_dir.mkdir(parents=True, exist_ok=True)
    folder, taken = take(given, data_dir, means, bases)
    rows = _rows(folder, taken, means)
    if taken["rows"] and not rows["rows"]:
        reasons = "; ".join(f"{count} rows: {why}" for why, count in rows["left_out"].items())
        raise BadInput("--dataset", f"events that the schema takes ({', '.join(means.names())})", reasons)
    items, misfits = take_items(_items_decoder.decode((folder / ITEMS).read_bytes()), means.items)
    for misfit in misfits if bases is not None else ():
        print(f"{folder.name}: {misfit.text} (a new home takes the files anew)", flush=True)
    return Dataset(
        folder.name,
        folder / ROWS_FILE,
        items,
        int(rows["rows"]),
        int(rows["first_ts"]),
        int(rows["last_ts"]),
        int(taken["rejected"]),
        int(taken["duplicates"]),
        tuple(rows["left_out"].items()),
        str(taken["clock"]),
        until=int(taken.get(KNOWN_UNTIL, -1)),
    )


def _rows(folder: Path, taken: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """Make rows.parquet where it is not there or was made by another schema; what rows.json then holds."""
    context = [list(rule) for rule in schema.context.rules()]  # which the digest leaves out, as nothing folds it
    made_of = [ROWS_VERSION, schema.digest, schema.ids.salt.hex(), context, taken]
    values = taken.get("values", {})
    known = read_json(folder / STAMP)
    if known.get("made_of") != made_of or not (folder / ROWS_FILE).exists():
        (folder / STAMP).unlink(missing_ok=True)
        for left in folder.glob(LEFT_FILE.format("*")):  # of the rows of before
            left.unlink()
        rejects = Rejects()
        known = {"made_of": made_of, **write_rows(folder / HISTORY, folder / ROWS_FILE, schema, rejects, values)}
        if rejects.count:
            rejects.write(folder / LEFT_OUT)
            for why, count in known["left_out"].items():
                print(f"{folder.name}: {count} rows left out: {why}; see {folder / LEFT_OUT}", flush=True)
        write_whole(folder / STAMP, json.dumps(known, indent=1).encode())
    return known


def event_id(name: str, user_id: int, item_id: int, ts: int, kind: int = RATING) -> str:
    """The id of a row's event, the same in every run: at most 64 characters. `ts` in ms.

    >>> event_id("ml-100k", 196, 242, 881250949000)
    'ml-100k:196:242:881250949'
    >>> event_id("shop", 196, 242, 881250949000, 2)
    'shop:196:242:881250949000:2'
    """
    if kind == RATING and ts % 1000 == 0:
        full = f"{name}:{user_id}:{item_id}:{ts // 1000}"
    else:
        full = f"{name}:{user_id}:{item_id}:{ts}:{kind}"
    if len(full) <= 64:
        return full
    return f"{name[:23]}:{blake2b(full.encode(), digest_size=20).hexdigest()}"


def event_of(
    name: str,
    user_id: int,
    item_id: int,
    kind: int,
    centi: int,
    ts: int,
    user: str = "",
    item: str = "",
    context: str = "",
) -> Event:
    """A row as the event that `replay` sends and Spark folds. `ts` in ms; user, item: the outer ids where they are no numbers."""
    of_row = event_id(name, user_id, item_id, ts, kind)
    return Event(of_row, kind, user_id, item_id, centi, "", ts, None, None, user, item, context)


def cut_row(dataset: Dataset, history: float) -> int:
    """The number of rows, from the first, that are history: floor(history · rows). Raises BadInput unless 0 ≤ history ≤ 1."""
    if not 0 <= history <= 1:
        raise BadInput("history", "a share from 0 to 1", str(history))
    # 0.29 · 100 is 28.999…96 in floating point: forgive what is less than a millionth of a row.
    return math.floor(history * dataset.rows + 1e-6)


def rows_between(
    dataset: Dataset, start_row: int, end_row: int, batch_rows: int = 65_536, columns: Sequence[str] = COLUMNS
) -> Iterator[pa.RecordBatch]:
    """Rows `start_row` ≤ row < `end_row` in the data set's order, at most `batch_rows` at a time.

    Raises Broken if the file is not whole.
    """
    try:
        file = pq.ParquetFile(dataset.ratings)
    except (OSError, pa.ArrowInvalid) as error:
        folder = dataset.ratings.parent
        raise Broken(f"{dataset.ratings} can't be read ({error}); remove {folder / STAMP} and start again") from error
    with file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).tolist()
        wanted = [group for group in range(len(sizes)) if starts[group + 1] > start_row and starts[group] < end_row]
        if not wanted:
            return
        at = starts[wanted[0]]
        for batch in file.iter_batches(batch_size=batch_rows, row_groups=wanted, columns=list(columns)):
            low, high = max(start_row - at, 0), min(end_row - at, batch.num_rows)
            at += batch.num_rows
            if low < high:
                yield batch.slice(low, high - low)
            if at >= end_row:
                return


def whole_rows(dataset: Dataset, start_row: int, end_row: int) -> Iterator[EventRow]:
    """Rows `start_row` ≤ row < `end_row` in the data set's order. Raises Broken if the file is not whole."""
    for batch in rows_between(dataset, start_row, end_row, columns=(*COLUMNS, *WORDS)):
        # to_pylist takes ten times as long, and to_numpy would import pandas
        columns = [np.from_dlpack(batch.column(name)).tolist() for name in COLUMNS]
        yield from zip(*columns, *(_words(batch.column(name)) for name in WORDS), strict=True)


def _words(column: pa.Array) -> list[str]:
    encoded = column.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    return [words[index] for index in np.from_dlpack(encoded.indices).tolist()]


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
