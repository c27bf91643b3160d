"""Sorted Parquet parts that Spark wrote → one mapped table, and one Parquet file for people, batch by batch."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.base.mapped_table import layout
from features.errors import Broken

_BATCH_ROWS = 2_000


def part_files(folder: Path) -> list[Path]:
    """Spark's part files, in the order of its partitions."""
    return sorted(folder.glob("part-*.parquet"))


def batches(folder: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """All rows of the parts, in order."""
    for path in part_files(folder):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns))


def _keyed(folder: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows that have a key, the first of the columns."""
    for batch in batches(folder, columns):
        at = batch.schema.get_field_index(columns[0])
        yield batch.filter(pc.is_valid(batch.column(at))) if batch.column(at).null_count else batch


def write_table(folder: Path, key: str, value: str, path: Path) -> int:
    """The rows (key, value) of the parts as a table (`features.base.mapped_table`), without those that have no key;
    how many they are.

    Memory holds one batch. Raises Broken if the keys do not ascend strictly over all parts.
    """
    count: int = sum(batch.num_rows for batch in _keyed(folder, (key,)))
    head, _, offsets_at, values_at = layout(count)
    done, end = 0, 0
    last: int | None = None
    with path.open("wb") as ids, path.open("r+b") as offsets, path.open("r+b") as values:
        ids.write(head)
        offsets.seek(offsets_at)
        offsets.write(np.zeros(1, "<u8").tobytes())
        values.seek(values_at)
        for batch in _keyed(folder, (key, value)):
            keys = batch.column(batch.schema.get_field_index(key)).to_numpy()
            blobs = batch.column(batch.schema.get_field_index(value))
            if len(keys) == 0:
                continue
            if (last is not None and keys[0] <= last) or (np.diff(keys) <= 0).any():
                raise Broken(f"{path.name}: rows do not ascend by {key} near {keys[0]}")
            last = int(keys[-1])
            ends = end + np.cumsum(pc.binary_length(blobs).to_numpy(), dtype=np.uint64)
            end = int(ends[-1])
            ids.write(keys.astype("<i8").tobytes())
            offsets.write(ends.astype("<u8").tobytes())
            for blob in blobs:
                values.write(blob.as_buffer())
            done += len(keys)
        values.truncate(values_at + end)
    if done != count:
        raise Broken(f"{path.name}: {done} rows came, {count} were announced")
    return count


def write_parquet(folder: Path, columns: Sequence[str], path: Path, schema: pa.Schema) -> None:
    """Write the schema's columns of the parts, the first being the key, as one Parquet file."""
    wanted = pa.schema([schema.field(name) for name in columns])
    with pq.ParquetWriter(path, wanted, compression="zstd") as writer:
        for batch in _keyed(folder, columns):
            if batch.num_rows:
                writer.write_table(pa.Table.from_batches([batch]).select(list(columns)).cast(wanted))


def sha256(path: Path) -> str:
    """Digest of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
