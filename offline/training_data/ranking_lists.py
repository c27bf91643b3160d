"""Makes ranking lists: for each row before which one is asked for (`offline.datasets.event_rows.query_weights`), its recall
candidates at that time, with the features that rankers read.

python -m offline.training_data.ranking_lists --base BASES_DIR/NUMBER --dataset NAME_OR_FOLDER --data-dir D --out DIR

<out>/asks/part-*.parquet       a row for each list, see RANKING_LISTS, by seq
      sequences/part-*.parquet  a row for each user: all rows of the history in order, see SEQUENCES
      maps.json                 features.inputs.input_maps.InputMaps of vocabulary and user columns
      meta.json                 what it was made of, and the row where the lists begin

The weights between items, by which candidates are found, are made of the rows before the first list, so that no list's answer
has been learned from. For the same reason a sequence model whose scores a ranker reads must learn from those rows alone (`seqs`).
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from features.arrays import IntArray
from features.base.reader import RELATIONS, Base
from features.durable import atomic_folder
from features.errors import BadInput
from features.fold.state import FOLD_VERSION
from features.inputs.columns import ClickWeights, user_vector
from features.inputs.facet_vocabulary import Vocabulary, vocabulary_of
from features.inputs.history import history_of, mark_of
from features.inputs.input_maps import INPUTS_VERSION, InputMaps
from features.inputs.model_inputs import width_of
from features.inputs.signals import RECALL_SIGNALS, SIGNAL_COLUMNS, candidates, find_signals, signal_matrix
from features.schema.document import FILE
from features.schema.tables import read_schema
from features.types import IMPRESSION, ItemId, Millis, UserId
from offline.base.fold_workers import Batches, Worker
from offline.base.forgotten_users import digest_of, open_left
from offline.base.from_dataset import check_made_of
from offline.base.state_tables import write_parts
from offline.console import run, step
from offline.datasets.dataset import Dataset, whole_rows
from offline.datasets.event_rows import mean_weight, query_weights, row_weights
from offline.item_weights.build import remove_unserved, write_history_relations
from offline.settings import RankingListSettings, add_data_arguments, add_ranking_list_arguments, ranking_list_settings
from offline.spark.grouped_batches import RowBuffer, runs
from offline.spark.parquet_tables import batches
from offline.spark.session import partitions, spark_session
from offline.spark.weighted_events import weighted_events
from offline.training_data.file_names import MAPS, META
from offline.training_data.history_walk import HistoryWalk, item_ids
from offline.training_data.normalisation import ColumnStatistics, matrix

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_I64: Final = pa.list_(pa.int64())
_F32: Final = pa.list_(pa.float32())
RANKING_LISTS: Final = pa.schema(
    [
        ("seq", pa.int64()),
        ("user_id", pa.int64()),
        ("at", pa.int64()),
        ("history", _I64),
        ("history_marks", _I64),
        ("history_gaps", _I64),
        ("user", _F32),
        ("items", _I64),
        ("answer", pa.int64()),
        ("signals", _F32),
        ("importance", pa.float32()),
    ]
)
"""seq: the row before which it is asked for; history…: `features.inputs.history`; user: `features.inputs.columns.user_vector`;
items: n candidates; answer: the index among them of its item; signals: n · len(SIGNAL_COLUMNS), candidate after candidate;
importance: what the list counts in training, over the mean of all lists'."""
SEQUENCES: Final = pa.schema(
    [("user_id", pa.int64()), ("seqs", _I64), ("items", _I64), ("marks", _I64), ("times", _I64), ("importances", _F32)]
)
"""The events of a user but impressions; importances: 0 for an event that is not positive."""
SHARE: Final = 0.3
"""At most this share of a history, its end, gets lists."""
WEIGHTS: Final = "weights.npy"
"""While lists are made: `query_weights` of the history, which all tasks read."""
MIN_ROWS: Final = 2_000
"""A task has at least so many rows."""


def first_ranked(weights: IntArray, limit: int) -> int:
    """The first row that gets a list, from the weights of all rows: `limit` lists follow from there on, but at most SHARE of
    the rows."""
    floor = int(len(weights) * (1 - SHARE))
    positive = np.flatnonzero(weights[floor:] > 0)
    return floor + int(positive[-limit]) if len(positive) > limit else floor


def ranking_lists_worker(
    dataset: Dataset, catalogue: Any, ids: Any, staging: Path, schema: str, limit: int, mean: float
) -> Worker:
    """Rows (low, high) → RANKING_LISTS of the rows low ≤ seq < high of a data set. Each part replays the data set from its
    first row on. staging: has WEIGHTS and RELATIONS; mean: the mean weight of what is asked for, which has the importance 1."""

    def work(slices: Iterable[pa.RecordBatch]) -> Batches:
        out, means = RowBuffer(RANKING_LISTS), read_schema(schema, FILE)
        weights = np.load(staging / WEIGHTS, mmap_mode="r")
        for batch in slices:
            for low, high in zip(batch["low"].to_pylist(), batch["high"].to_pylist(), strict=True):
                walk = HistoryWalk(dataset, catalogue.value, ids.value, staging / RELATIONS, means)
                for row in _lists_of(dataset, walk, low, high, weights, limit, mean):
                    if out.add(row, 16 * len(row[-2])):
                        yield from out.take()
        yield from out.take()

    return work


def _lists_of(
    dataset: Dataset, walk: HistoryWalk, low: int, high: int, weights: IntArray, limit: int, mean: float
) -> Iterable[tuple[Any, ...]]:
    clicks, schema = ClickWeights(), walk.index.schema
    for seq, row in enumerate(whole_rows(dataset, 0, high)):
        user_id, item_id, _, _, ts = row[:5]
        if seq >= low and weights[seq] > 0:
            moment = walk.moment(row)
            wanted = walk.index.row_of[item_id]
            found = find_signals(moment)
            rows, _ = candidates(found.find(RECALL_SIGNALS), limit)
            answer = np.flatnonzero(rows == wanted)
            if len(answer):
                vector = user_vector(moment.user, ts, walk.vocabulary, clicks, schema)
                signals = signal_matrix(found, rows).ravel()
                history = history_of(moment.user.recent, ts)
                ids = walk.index.columns.ids[rows]
                importance = weights[seq] / mean
                yield (seq, user_id, ts, *history, vector, ids, int(answer[0]), signals, importance)
        walk.fold(row)


def sequence_of(
    user_id: UserId,
    seqs: Sequence[int],
    items: Sequence[ItemId],
    kinds: Sequence[int],
    centis: Sequence[int],
    times: Sequence[Millis],
    weights: Sequence[int],
    mean: float,
) -> tuple[Any, ...]:
    """A row of SEQUENCES. weights: of the events, in units; mean: the weight that has the importance 1."""
    marks = [mark_of(kind, centi) for kind, centi in zip(kinds, centis, strict=True)]
    return user_id, seqs, items, marks, times, [max(weight, 0) / mean for weight in weights]


def sequences_worker(mean: float) -> Worker:
    """Rows (user_id, seq, item_id, kind, centi, ts, weight), sorted by user and seq, → SEQUENCES."""

    def work(rows: Iterable[pa.RecordBatch]) -> Batches:
        out = RowBuffer(SEQUENCES)
        for user_id, (seqs, items, kinds, centis, times, weights) in runs(rows, "user_id"):
            row = sequence_of(user_id, seqs, items, kinds, centis, times, weights, mean)
            if out.add(row, 40 * len(seqs)):
                yield from out.take()
        yield from out.take()

    return work


def make_ranking_lists(
    spark: "SparkSession", dataset: Dataset, base: Base, out: Path, settings: RankingListSettings
) -> dict[str, Any]:
    """Make the ranking lists of a base's history; the content of meta.json. Raises BadInput if `out` exists already, or the
    data set is not the one that the base was made of."""
    if out.exists():
        raise BadInput("--out", "a folder that is not there yet", str(out))
    history = int(base.manifest["history_rows"])
    check_made_of(base, dataset)
    began = time.monotonic()
    rows = dataset.left(history)
    schema, weights = base.schema, query_weights(dataset, rows, base.schema)
    first, mean = first_ranked(weights, settings.limit), mean_weight(weights)
    with atomic_folder(out) as staging:
        with step("  neighbours before the first ask"):
            write_history_relations(spark, dataset, first, schema, staging / RELATIONS, staging / "scratch")
            remove_unserved(staging / RELATIONS, base.folder / RELATIONS)
            np.save(staging / WEIGHTS, weights)
        with step("  asks walked") as this:
            _write_lists(spark, dataset, schema.text(), (first, rows), mean, staging, settings)
            lists = _count(staging / "asks")
            this.note = f"{lists} of {int((weights[first:] > 0).sum())} that were wanted"
        with step("  sequences"):
            acts = weighted_events(spark, dataset, rows, schema).where(f"kind != {IMPRESSION}")
            events = acts.repartition(partitions(spark, rows), "user_id").sortWithinPartitions("user_id", "seq")
            ordered = events.select("user_id", "seq", "item_id", "kind", "centi", "ts", "weight")
            worker = sequences_worker(mean_weight(row_weights(dataset, rows, schema)))
            write_parts(ordered, worker, SEQUENCES, staging / "sequences")
        shutil.rmtree(staging / RELATIONS)
        (staging / WEIGHTS).unlink()
        shutil.rmtree(staging / "scratch")
        (staging / MAPS).write_bytes(msgspec.json.encode(_maps(staging / "asks", vocabulary_of(dataset.items))))
        meta: dict[str, Any] = {
            "dataset": dataset.name,
            "base": int(base.manifest["number"]),
            "history_rows": history,
            "until": dataset.until,
            "forgotten": digest_of(dataset.removed),
            "first": first,
            "asks": lists,
            "candidates": settings.candidates,
            "schema": schema.digest,
            "signals": len(SIGNAL_COLUMNS),
            "mean_weight": mean / schema.unit,
            "fold_version": FOLD_VERSION,
            "inputs_version": INPUTS_VERSION,
            "seconds": round(time.monotonic() - began, 1),
        }
        (staging / META).write_text(json.dumps(meta, indent=1) + "\n")
    return meta


def _write_lists(
    spark: "SparkSession",
    dataset: Dataset,
    schema: str,
    span: tuple[int, int],
    mean: float,
    staging: Path,
    settings: RankingListSettings,
) -> None:
    """One task a core, each a part of the span: each folds all rows before its own again, which costs little
    compared with recall."""
    first, end = span
    parts = max(1, min(int(spark.sparkContext.defaultParallelism), (end - first) // MIN_ROWS))
    bounds = [first + (end - first) * part // parts for part in range(parts + 1)]
    slices = spark.createDataFrame(list(pairwise(bounds)), "low long, high long").repartitionByRange(parts, "low")
    catalogue = spark.sparkContext.broadcast({item.item_id: item for item in dataset.items})
    ids = spark.sparkContext.broadcast(item_ids(dataset, end))
    light = replace(dataset, items=[])
    write_parts(
        slices,
        ranking_lists_worker(light, catalogue, ids, staging, schema, settings.candidates, mean),
        RANKING_LISTS,
        staging / "asks",
    )
    catalogue.destroy()
    ids.destroy()


def _maps(lists: Path, vocabulary: Vocabulary) -> InputMaps:
    user = ColumnStatistics(width_of("user", vocabulary))
    for batch in batches(lists, ("user",)):
        if batch.num_rows:
            user.add(matrix(batch.column(0), user.width))
    return InputMaps(vocabulary, user.mean(), user.std())


def _count(lists: Path) -> int:
    return sum(batch.num_rows for batch in batches(lists, ("seq",)))


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m offline.training_data.ranking_lists", description="Make what rankers of lists learn from."
    )
    add_data_arguments(parser)
    parser.add_argument("--base", type=Path, required=True, help="the base whose history they are taken from")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    add_ranking_list_arguments(parser)
    given = parser.parse_args(argv)

    def make() -> None:
        base = Base(given.base)
        dataset = open_left(given.dataset, given.data_dir, base.schema)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with spark_session(given.out.parent, dataset.rows, given.master) as spark, step("asks") as this:
            meta = make_ranking_lists(spark, dataset, base, given.out, ranking_list_settings(given))
            this.note = f"{meta['asks']} from row {meta['first']} on"

    return run(make)


if __name__ == "__main__":
    sys.exit(main())
