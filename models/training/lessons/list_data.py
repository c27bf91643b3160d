"""Ranking lists and sequences from Parquet, as `offline.training_data.ranking_lists` wrote them: the training data of sequence
models and of rankers of lists.

A ranking list has at most C candidates, one of which was liked. Its signals take 4 · C · S bytes, 10 kB for 200 candidates;
30,000 lists are 350 MB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import AnyArray, FloatArray, IntArray
from features.errors import BadInput, Broken
from features.inputs.columns import normalise
from features.inputs.history import LENGTH
from features.inputs.input_maps import InputMaps
from features.inputs.signals import SIGNAL_COLUMNS
from models.training.lessons.row_data import (
    Part,
    newest_of,
    parquet_files,
    read_json,
    read_maps,
    schema_of,
    widths_of,
)
from models.training.lessons.sequence_windows import Histories, WindowedHistories, Windows

VALIDATION: Final = 0.15
"""Share of the lists, the newest ones, that validate and never train."""
MIN_LISTS: Final = 8
"""Fewer lists than these are too few to train and validate on."""
NO_CANDIDATE: Final = -1
FLAT_LISTS: Final = 400
"""Number of lists, spread evenly over all, that stand for all where single rows are needed."""


@dataclass(frozen=True)
class Lists:
    """A ranking lists of at most C candidates each.

    seqs, users, at, answers  int64 [A]; answers: the index of the liked candidate
    items                     int64 [A, C], NO_CANDIDATE where a list is shorter
    history, marks, gaps      int64 [A, L], [A, L], [A, L + 1]
    signals                   float32 [A, C, S]
    columns                   float32 [A, U + 3(G + 1)] user columns, normalised
    importances               float32 [A] what a list counts in training
    """

    seqs: IntArray
    users: IntArray
    at: IntArray
    answers: IntArray
    items: IntArray
    history: IntArray
    marks: IntArray
    gaps: IntArray
    signals: FloatArray
    columns: FloatArray
    importances: FloatArray

    def __len__(self) -> int:
        return len(self.seqs)

    def part(self, rows: Any) -> "Lists":
        """The lists at these indices."""
        return Lists(**{name: values[rows] for name, values in vars(self).items()})

    def flat(self) -> Part:
        """Every candidate of some of the lists as a row, as a served model sees it, with label 1 for the liked one."""
        some = self.part(np.unique(np.linspace(0, max(len(self) - 1, 0), FLAT_LISTS).astype(np.int64)))
        list_index, candidate_index = np.nonzero(some.items != NO_CANDIDATE)
        labels = (candidate_index == some.answers[list_index]).astype(np.float32)
        inputs, importances = some.rows(list_index, candidate_index), some.importances[list_index]
        return Part(inputs, labels, importances, np.arange(len(list_index)))

    def rows(self, list_index: IntArray, candidate_index: IntArray) -> dict[str, AnyArray]:
        """Model inputs of single candidates, each given by its list and its index in that list."""
        return {
            "userId": self.users[list_index],
            "movieId": self.items[list_index, candidate_index],
            "history": self.history[list_index],
            "history_marks": self.marks[list_index],
            "history_gaps": self.gaps[list_index],
            "signals": self.signals[list_index, candidate_index],
            "user": self.columns[list_index],
        }


@dataclass(frozen=True)
class RankingLists:
    """All that a training on ranking lists or sequences reads.

    histories       None where lists that were shown to users came alone: they bring the newest events before them
    shown           whether the lists were shown to users; others are of all that recall found
    first           the row of the data set from which on there are lists
    from_ms, to_ms  times of the oldest and the newest row, the latter as of `newest_of`
    schema          digest of what the events meant
    """

    train_lists: Lists
    validation_lists: Lists
    histories: Histories | None
    shown: bool
    first: int
    maps: InputMaps
    widths: dict[str, int]
    dataset: str
    from_ms: int
    to_ms: int
    schema: str

    @property
    def rows(self) -> int:
        """Events that teach."""
        return len(self.train_lists) if self.shown or self.histories is None else len(self.histories.seqs)

    def item_ids(self) -> IntArray:
        """Ids of the items that histories have, or lists; among them may be −1 for none."""
        acts = [] if self.histories is None else [self.histories.items]
        shown = [self.train_lists.items.ravel(), self.train_lists.history.ravel()] if self.shown else []
        ids: IntArray = np.unique(np.concatenate([*acts, *shown]))
        return ids

    def past(self, limit: int) -> WindowedHistories:
        """The newest events before the first list. Raises BadInput where there are lists alone."""
        if self.histories is None or self.shown:
            raise BadInput("a sequence model's lessons", "histories, or a version to go on from", "lists alone")
        return WindowedHistories(self.histories, self.first, limit)

    def everything(self, limit: int) -> WindowedHistories | Windows:
        """The newest of all events, those of the validation lists included."""
        if self.histories is not None:
            return WindowedHistories(self.histories, np.iinfo(np.int64).max, limit)
        return windows_of(self.train_lists, self.validation_lists)

    @property
    def train(self) -> Part:
        return self.train_lists.flat()

    @property
    def validation(self) -> Part:
        return self.validation_lists.flat()


def _table(folder: Path, columns: Sequence[str]) -> pa.Table:
    try:
        table = pa.concat_tables([pq.read_table(path, columns=list(columns)) for path in parquet_files(folder)])
    except (pa.ArrowException, OSError) as error:
        raise Broken(f"{folder} can't be read: {error}") from error
    if not table.num_rows:
        raise Broken(f"{folder} holds no rows")
    return table.combine_chunks()


def _flat(table: pa.Table, name: str) -> tuple[AnyArray, IntArray]:
    """(values, lengths) of a list column."""
    column = table[name].chunk(0)
    return column.flatten().to_numpy(zero_copy_only=False), np.diff(column.offsets.to_numpy())


def _square(table: pa.Table, name: str, width: int, folder: Path) -> IntArray:
    values, lengths = _flat(table, name)
    if (lengths != width).any():
        raise Broken(f"{folder}: column {name}: expected lists of {width}, got {lengths.min()} to {lengths.max()}")
    return np.asarray(values.reshape(-1, width), np.int64)


def read_lists(folder: Path, maps: InputMaps, since: int = -1) -> Lists:
    """The lists after the time `since`, ms, in the order of `seq`, with columns normalised by `maps`; there may be none. Raises
    Broken, naming folder and column, for what can't be read, is malformed or of another vocabulary."""
    names = ("seq", "user_id", "at", "answer", "history", "history_marks", "history_gaps")
    table = _table(folder, (*names, "items", "signals", "user", "importance"))
    ids, lengths = _flat(table, "items")
    signals, _ = _flat(table, "signals")
    size = len(SIGNAL_COLUMNS)
    if len(signals) != len(ids) * size:
        raise Broken(f"{folder}: column signals: expected {size} for each candidate, got {len(signals)} for {len(ids)}")
    if not np.isfinite(signals).all():
        raise Broken(f"{folder}: column signals holds values that are not finite")
    list_index = np.repeat(np.arange(len(lengths)), lengths)
    candidate_index = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    items = np.full((len(lengths), int(lengths.max())), NO_CANDIDATE, np.int64)
    items[list_index, candidate_index] = ids
    matrix = np.zeros((*items.shape, size), np.float32)
    matrix[list_index, candidate_index] = signals.reshape(-1, size)
    seqs, users, at, answers = (np.asarray(table[name].to_numpy(), np.int64) for name in names[:4])
    if (answers < 0).any() or (answers >= lengths).any():
        raise Broken(f"{folder}: column answer names a candidate that is not there")
    widths = (LENGTH, LENGTH, LENGTH + 1)
    history, marks, gaps = (_square(table, name, width, folder) for name, width in zip(names[4:], widths, strict=True))
    try:
        columns = normalise(_flat(table, "user")[0].reshape(len(lengths), -1), maps.user_mean, maps.user_std)
    except ValueError as error:
        raise Broken(f"{folder}: column user: {error}") from error
    importances = np.asarray(table["importance"].to_numpy(), np.float32)
    if not (np.isfinite(importances) & (importances > 0)).all():
        raise Broken(f"{folder}: column importance: expected finite numbers above 0")
    whole = Lists(seqs, users, at, answers, items, history, marks, gaps, matrix, columns, importances)
    order = np.argsort(seqs, kind="stable")
    return whole.part(order[at[order] > since])


def _histories(folder: Path) -> Histories:
    table = _table(folder, ("seqs", "items", "marks", "times", "importances"))
    seqs, lengths = _flat(table, "seqs")
    items, marks, times = (np.asarray(_flat(table, name)[0], np.int64) for name in ("items", "marks", "times"))
    importances = np.asarray(_flat(table, "importances")[0], np.float32)
    return Histories(np.asarray(seqs, np.int64), items, marks, times, importances, np.r_[0, np.cumsum(lengths)])


def read_ranking_lists(folder: Path, since: int = -1, maps: InputMaps | None = None) -> RankingLists:
    """The lists after the time `since`, ms, normalised by the maps in the folder or by `maps` of the same vocabulary. Raises
    Broken, naming file and column, for what can't be read, is malformed or too little."""
    maps = maps or read_maps(folder)
    meta: dict[str, Any] = read_json(folder / "meta.json", dict[str, Any])
    lists = read_lists(folder / "asks", maps, since)
    shown, sequences = bool(meta.get("shown")), folder / "sequences"
    histories = None if shown and not sequences.is_dir() else _histories(sequences)
    cut = int(len(lists) * (1 - VALIDATION))
    if len(lists) < MIN_LISTS:
        after = f" after {since} ms" if since >= 0 else ""
        raise Broken(
            f"{folder} has {len(lists)} asks{after}: expected at least {MIN_LISTS}, to learn from and to measure on"
        )
    times = lists.at if shown or histories is None else histories.times
    parts = lists.part(slice(0, cut)), lists.part(slice(cut, None))
    dataset, span = str(meta.get("dataset", "")), (int(times.min()), newest_of(int(times.max()), meta))
    first, schema = int(meta["first"]), schema_of(meta, folder)
    return RankingLists(*parts, histories, shown, first, maps, widths_of(maps), dataset, *span, schema)


def windows_of(*parts: Lists) -> Windows:
    """Lists as windows: after the newest event of each history comes the item that was liked."""
    items, marks, gaps = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("history", "marks", "gaps")
    )
    liked = np.concatenate([part.items[np.arange(len(part)), part.answers] for part in parts])
    weights = np.zeros(items.shape, np.float32)
    weights[:, -1] = np.concatenate([part.importances for part in parts])
    following = np.concatenate([items[:, 1:], liked[:, None]], axis=1)
    return Windows(items, marks, gaps, following, weights)
