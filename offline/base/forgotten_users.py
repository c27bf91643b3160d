"""Users who wanted to be forgotten, as all that learns must know them: a file beside the home's data sets, filled from the log
(`offline.base.forgotten_log`). A data set holds what they did for good; `open_left` opens it without that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import BoolArray
from features.durable import atomic_file
from features.errors import Broken
from features.ids import Ids, OuterId
from features.schema.tables import Schema
from features.types import Millis, UserId
from offline.datasets.dataset import LEFT_FILE, ROWS_FILE, Dataset, open_dataset
from offline.datasets.event_history import GROUP_ROWS
from offline.datasets.user_profiles import forget_profiles

FILE: Final = "forgotten.json"
"""In the folder of data sets."""
EVER: Final = (1 << 62) - 1
"""The time of a wish of which it is not known up to when it forgets."""


class ForgottenUsers(msgspec.Struct, frozen=True):
    """offsets: where the log is read on, by partition of `samples`; users: ids outside, each with the home's time (ms) up to
    which nothing that they did is learned."""

    offsets: Mapping[int, int] = {}
    users: tuple[tuple[OuterId, Millis], ...] = ()

    def until(self, ids: Ids) -> dict[UserId, Millis]:
        """By the ids inside."""
        return {ids.inside(user): until for user, until in self.users}


_decoder = msgspec.json.Decoder(ForgottenUsers)


def read_forgotten(data_dir: Path) -> ForgottenUsers:
    """Those that are known; none where there is no file. Raises Broken for one that can't be read."""
    path = data_dir / FILE
    try:
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return ForgottenUsers()
    except (msgspec.DecodeError, OSError) as error:
        raise Broken(
            f"{path}: expected users who are forgotten, got {error}; remove it, and the log is read again"
        ) from error


def open_left(given: str, data_dir: Path, schema: Schema, bases: Path | None = None) -> Dataset:
    """What `open_dataset` opens, without what users did before they wanted to be forgotten, as all that learns reads it: where
    any is left out, the rows are written once more, beside the whole ones; what is known of these users is deleted. Raises as
    that, and Broken."""
    until = read_forgotten(data_dir).until(schema.ids)
    dataset = open_dataset(given, data_dir, schema, bases)
    forget_profiles(dataset, schema, {user for user, at in until.items() if at > dataset.until})
    removed = removed_rows(dataset.ratings, until)
    if not removed:
        return dataset
    folder = dataset.ratings.parent
    left = folder / LEFT_FILE.format(digest_of(removed))
    if not left.exists():
        _write(dataset.ratings, until, left)
        for old in folder.glob(LEFT_FILE.format("*")):
            if old != left:
                old.unlink(missing_ok=True)
    return replace(dataset, ratings=left, removed=removed)


def forgotten_of(folder: Path, schema: Schema) -> str:
    """The digest of what `open_left` leaves out of a data set that was taken before."""
    return digest_of(removed_rows(folder / ROWS_FILE, read_forgotten(folder.parent).until(schema.ids)))


def digest_of(removed: Sequence[int]) -> str:
    """The digest of the numbers of rows that were left out; "" where none was."""
    return blake2b(np.array(removed, np.int64).tobytes(), digest_size=8).hexdigest() if len(removed) else ""


def removed_rows(rows: Path, until: Mapping[UserId, Millis]) -> tuple[int, ...]:
    """The numbers of the rows of forgotten users. rows: a data set's file; until: user → the time (ms) of the last to go."""
    if not until or not rows.exists():
        return ()
    found, at = [], 0
    for batch in _batches(rows, ["user_id", "ts"]):
        found.append(at + np.flatnonzero(_forgotten(batch, until)))
        at += batch.num_rows
    return tuple(np.concatenate(found).tolist()) if found else ()


def _write(rows: Path, until: Mapping[UserId, Millis], out: Path) -> None:
    with atomic_file(out) as temporary, pq.ParquetWriter(temporary, pq.read_schema(rows), compression="zstd") as writer:
        for batch in _batches(rows, None):
            writer.write_batch(batch.filter(pa.array(~_forgotten(batch, until))), row_group_size=GROUP_ROWS)


def _batches(rows: Path, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(rows) as file:
        yield from file.iter_batches(batch_size=GROUP_ROWS, columns=columns)


def _forgotten(batch: pa.RecordBatch, until: Mapping[UserId, Millis]) -> BoolArray:
    """[n] whether each row is of a user who was forgotten after it."""
    users = np.array(sorted(until), np.int64)
    times = np.array([until[user] for user in users.tolist()], np.int64)
    own = batch["user_id"].to_numpy()
    at = np.minimum(np.searchsorted(users, own), len(users) - 1)
    forgotten: BoolArray = (users[at] == own) & (batch["ts"].to_numpy() <= times[at])
    return forgotten
