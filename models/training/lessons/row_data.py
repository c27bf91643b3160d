"""Samples from Parquet: read once, in bounded memory, split by time.

What it costs: 32 bytes a row (label, importance, ids, order), and 4 for each float column of the requested inputs. NeuralCF keeps
32 bytes a row, Wide & Deep on MovieLens 100K about 410: 160 MB for 400,000 rows. Above `max_rows` the newest are taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.arrays import AnyArray, IntArray
from features.errors import Broken
from features.inputs.input_maps import COLUMN_INPUTS, INPUT_NAMES, INPUTS_VERSION, InputMaps
from features.inputs.model_inputs import RawInputs, model_inputs, width_of
from features.types import Millis

VALIDATION: Final = 0.1
"""Share of the rows, the newest ones, that measures and never trains."""
MAX_ROWS: Final = 4_000_000
_BATCH: Final = 65_536


@dataclass
class Part:
    """Rows for training or for validation.

    inputs: as the model takes them, always with userId and movieId; labels: float32 [n], 0 or 1; importances: float32 [n], what
    a row counts in training; order: int64 [n], the indices of the rows in the order of events, whatever the order of the files.
    """

    inputs: dict[str, AnyArray]
    labels: AnyArray
    importances: AnyArray
    order: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Samples:
    """All that a training reads. from_ms, to_ms: time of the oldest and newest row; dropped: rows above max_rows; schema: digest
    of what the events meant."""

    train: Part
    validation: Part
    maps: InputMaps
    widths: dict[str, int]
    dataset: str
    from_ms: int
    to_ms: int
    dropped: int
    schema: str


def widths_of(maps: InputMaps) -> dict[str, int]:
    """Columns of each input, 0 for ids."""
    return {name: width_of(name, maps.vocabulary) for name in INPUT_NAMES}


def read_maps(folder: Path) -> InputMaps:
    """The maps of training data. Raises Broken where they can't be read, or are of inputs that today's code does not make."""
    maps: InputMaps = read_json(folder / "maps.json", InputMaps)
    if maps.version != INPUTS_VERSION:
        raise Broken(
            f"{folder} was made with inputs version {maps.version}, this code makes {INPUTS_VERSION}: "
            "the next ./martlet up makes it anew"
        )
    return maps


def read_json(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise Broken(f"{path} can't be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise Broken(f"{path}: {error}") from error


def newest_of(newest: Millis, meta: Mapping[str, Any]) -> Millis:
    """The time, ms, up to which lessons have learned what was shown, from that of the newest row: no later than the log that they
    were made of, whatever events in it are ahead of the home's clock. `meta`: of their folder."""
    until = int(meta.get("until", -1))
    return min(newest, until) if until >= 0 else newest


def schema_of(meta: dict[str, Any], folder: Path) -> str:
    """The digest of the schema that training data was made under. Raises Broken where meta.json does not have it."""
    if "schema" not in meta:
        raise Broken(f"{folder / 'meta.json'} names no schema: ./martlet features makes training data anew")
    return str(meta["schema"])


def parquet_files(folder: Path) -> list[Path]:
    """Parquet files anywhere under the folder, in order; names that begin with _ or . are Spark's own business."""
    found = (path for path in folder.rglob("*.parquet") if path.is_file())
    files = sorted(p for p in found if not any(part[0] in "_." for part in p.relative_to(folder).parts))
    if not files:
        raise Broken(f"{folder} holds no Parquet files: make samples first")
    return files


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise Broken(f"{path} lacks the columns {', '.join(missing)}")
            yield from file.iter_batches(_BATCH, columns=list(columns), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise Broken(f"{path} can't be read: {error}") from error


def _column(batch: pa.RecordBatch, name: str, dtype: Any, path: Path) -> AnyArray:
    column = batch.column(name)
    if column.null_count:
        raise Broken(f"{path}: column {name} has empty values")
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype)


def _matrix(batch: pa.RecordBatch, name: str, width: int, path: Path) -> AnyArray:
    """A list column as float32 [n, width]; every list must have that length and finite numbers."""
    column = batch.column(name)
    lengths = pc.min_max(pc.list_value_length(column)).as_py()
    if column.null_count or (len(column) and (lengths["min"], lengths["max"]) != (width, width)):
        raise Broken(f"{path}: column {name}: expected lists of {width}, got {lengths['min']} to {lengths['max']}")
    flat = np.asarray(column.flatten().to_numpy(zero_copy_only=False), np.float32)
    if not np.isfinite(flat).all():
        raise Broken(f"{path}: column {name} holds values that are not finite")
    return flat.reshape(-1, width)


def _bounds(files: Sequence[Path], max_rows: int, since: int) -> tuple[int, int, int, int, int]:
    """(lowest seq taken, first seq of validation, rows of training, rows of validation, rows dropped)."""
    seqs = [
        _column(batch, "seq", np.int64, path)[_column(batch, "at", np.int64, path) > since]
        for path in files
        for batch in _batches(path, ["seq", "at"])
    ]
    seq = np.sort(np.concatenate(seqs)) if seqs else np.zeros(0, np.int64)
    if len(seq) == 0:
        raise Broken(f"{files[0].parent} holds no samples" + (f" after {since} ms" if since >= 0 else ""))
    low = int(seq[max(len(seq) - max_rows, 0)])
    taken = seq[np.searchsorted(seq, low) :]
    cut = int(taken[int(len(taken) * (1 - VALIDATION))])
    before = int(np.searchsorted(taken, cut))
    if before == 0:
        raise Broken(f"all {len(taken)} samples have nearly one seq ({cut}): can't split them by time")
    return low, cut, before, len(taken) - before, len(seq) - len(taken)


class _Filler:
    """Fills one part row by row into arrays made once."""

    def __init__(self, size: int, names: Sequence[str], widths: dict[str, int]) -> None:
        ids = {name: np.empty(size, np.int64) for name in ("userId", "movieId")}
        floats = {name: np.empty((size, widths[name]), np.float32) for name in names if name in COLUMN_INPUTS}
        self.part = Part(ids | floats, np.empty(size, np.float32), np.empty(size, np.float32))
        self._seq = np.empty(size, np.int64)
        self._at = 0

    def add(self, inputs: dict[str, AnyArray], labels: AnyArray, importances: AnyArray, seq: IntArray) -> None:
        end = self._at + len(labels)
        for name, values in inputs.items():
            self.part.inputs[name][self._at : end] = values
        self.part.labels[self._at : end] = labels
        self.part.importances[self._at : end] = importances
        self._seq[self._at : end] = seq
        self._at = end

    def done(self) -> Part:
        self.part.order = np.lexsort((self.part.inputs["movieId"], self.part.inputs["userId"], self._seq))
        return self.part


def read_samples(
    folder: Path, names: Sequence[str], max_rows: int = MAX_ROWS, since: int = -1, maps: InputMaps | None = None
) -> Samples:
    """Read the samples after the time `since` (ms) that offline wrote into `folder`, with the model inputs `names`, normalised by
    the maps in the folder or by `maps` of the same vocabulary, split by seq.

    Rows of one seq stay on one side of the split. Raises Broken, naming file and column, for what can't be read, values
    that are not finite, labels outside 0 to 1, a part with labels of one class only.
    """
    maps = maps or read_maps(folder)
    meta: dict[str, Any] = read_json(folder / "meta.json", dict[str, Any])
    files, widths = parquet_files(folder), widths_of(maps)
    low, cut, train_rows, validation_rows, dropped = _bounds(files, max_rows, since)
    wanted = ["userId", "movieId", *(name for name in names if name in COLUMN_INPUTS)]
    train, validation = (_Filler(size, wanted, widths) for size in (train_rows, validation_rows))
    users, items = ("user" in names or "cross" in names), ("item" in names or "cross" in names)
    fixed = ["user_id", "item_id", "at", "label", "importance", "seq"]
    columns = [*fixed, *(["user"] if users else []), *(["item"] if items else [])]
    from_ms, to_ms = np.iinfo(np.int64).max, 0
    for path in files:
        for batch in _batches(path, columns):
            seq = _column(batch, "seq", np.int64, path)
            labels = _column(batch, "label", np.float32, path)
            if not bool(np.all((labels >= 0) & (labels <= 1))):
                raise Broken(f"{path}: column label: expected numbers from 0 to 1")
            importances = _column(batch, "importance", np.float32, path)
            if not (np.isfinite(importances) & (importances >= 0)).all():
                raise Broken(f"{path}: column importance: expected finite numbers from 0 on")
            user = _matrix(batch, "user", widths["user"], path) if users else np.zeros((len(seq), 0), np.float32)
            item = _matrix(batch, "item", widths["item"], path) if items else np.zeros((len(seq), 0), np.float32)
            at = _column(batch, "at", np.int64, path)
            taken = (seq >= low) & (at > since)
            if taken.any():
                from_ms, to_ms = min(from_ms, int(at[taken].min())), max(to_ms, int(at[taken].max()))
            user_ids, item_ids = (_column(batch, name, np.int64, path) for name in ("user_id", "item_id"))
            try:
                made = model_inputs(wanted, maps, RawInputs(user_ids, user, item_ids, item))
            except ValueError as error:
                raise Broken(f"{path} and {folder / 'maps.json'} don't fit: {error}") from error
            for filler, rows in ((train, taken & (seq < cut)), (validation, taken & (seq >= cut))):
                filler.add(
                    {name: values[rows] for name, values in made.items()}, labels[rows], importances[rows], seq[rows]
                )
    parts = train.done(), validation.done()
    for name, part in zip(("training", "validation"), parts, strict=True):
        positive = int(np.count_nonzero(part.labels > 0.5))
        if positive in (0, len(part)):
            raise Broken(f"{folder}: the {name} part has {len(part)} rows, {positive} of them positive: need both")
    dataset = str(meta.get("dataset", ""))
    newest = newest_of(to_ms, meta)
    return Samples(*parts, maps, widths, dataset, from_ms, newest, dropped, schema_of(meta, folder))
