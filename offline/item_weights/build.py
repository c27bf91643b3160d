"""The weights between items that a history gives, as arrays in a folder (`features.base.item_weights`): `ease` and `similar`, and
the history's sessions, how soon items are taken again, and what segments of users like."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from features.arrays import FloatArray, IntArray
from features.base.item_weights import ARRAYS
from features.base.reader import EASE, REPEATS, SEGMENTS, SESSIONS, SIMILAR
from features.schema.tables import Schema
from offline.datasets.dataset import Dataset
from offline.datasets.event_rows import event_columns, mean_weight, row_weights
from offline.item_weights.ease import ease
from offline.item_weights.repeat_rates import write_repeats
from offline.item_weights.segment_shares import write_segments
from offline.item_weights.session_table import write_past_sessions
from offline.item_weights.similar import similar_items
from offline.spark.parquet_tables import part_files
from offline.spark.weighted_events import weighted_events

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NEAREST: Final = 200
"""Neighbours kept of an item."""
_ROWS: Final = 1_024
"""Of a matrix, searched at a time."""


def write_history_relations(
    spark: "SparkSession", dataset: Dataset, rows: int, schema: Schema, out: Path, scratch: Path
) -> int:
    """Write the weights, sessions, repeats and segments of the first `rows` rows into the new folder `out`; how many items have
    neighbours of any kind."""
    users, items, weights = taken(dataset, rows, schema)
    ids, linear = ease(users, items, weights)
    starts, columns, values = nearest(linear)
    write_relations(out / EASE, ids, starts, ids[columns], values)

    events = weighted_events(spark, dataset, rows, schema)
    ranked = similar_items(events, mean_weight(weights)).select("item_id", "other", "weight", "place")
    ranked.coalesce(1).sortWithinPartitions("item_id", "place").write.parquet(str(scratch))
    tables = [pq.read_table(path) for path in part_files(scratch)]  # at most 50 rows for each item of the catalogue
    sources, others, values = (
        np.concatenate([np.zeros(0, kind), *(table[name].to_numpy() for table in tables)])
        for name, kind in (("item_id", np.int64), ("other", np.int64), ("weight", np.float32))
    )
    known, starts = np.unique(sources, return_index=True)
    write_relations(out / SIMILAR, known, np.r_[starts, len(sources)], others, values)
    write_past_sessions(dataset, rows, schema, out / SESSIONS)
    write_repeats(dataset, rows, schema, out / REPEATS)
    write_segments(dataset, rows, schema, out / SEGMENTS)
    return len(np.union1d(ids, known))


def remove_unserved(relations: Path, served: Path) -> None:
    """Remove the kinds of `relations` that another folder, that of a base from before there were such, lacks: what it can't serve
    is not learned from."""
    for kind in (SESSIONS, REPEATS, SEGMENTS):
        if not (served / kind).exists():
            shutil.rmtree(relations / kind)


def taken(dataset: Dataset, rows: int, schema: Schema) -> tuple[IntArray, IntArray, IntArray]:
    """(users, items, weights) of what users took, among the first `rows` rows, in their order: rows of a weight above 0, and
    those of a kind that goes by its value, such as a low rating."""
    users, items, _, kinds, _ = event_columns(dataset, rows, schema)
    weights = row_weights(dataset, rows, schema)
    some = (weights > 0) | np.isin(kinds, list(schema.by_value))
    return users[some], items[some], weights[some]


def write_relations(folder: Path, items: IntArray, starts: IntArray, others: IntArray, weights: FloatArray) -> None:
    """Write the arrays into a new folder."""
    folder.mkdir(parents=True)
    for name, array in zip(ARRAYS, (items, starts, others, weights), strict=True):
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array, ARRAYS[name]))


def nearest(weights: npt.NDArray[np.floating[Any]], count: int = NEAREST) -> tuple[IntArray, IntArray, FloatArray]:
    """(starts [n + 1], columns [m], values [m]) of the largest weights above 0 in each row of a matrix [n, n], best first,
    equal ones by column."""
    parts = [_nearest(weights[low : low + _ROWS], min(count, len(weights))) for low in range(0, len(weights), _ROWS)]
    counts = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
    columns = np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)])
    values = np.concatenate([np.zeros(0, np.float32), *(part[2] for part in parts)])
    return np.r_[0, np.cumsum(counts)], columns, values


def _nearest(rows: npt.NDArray[np.floating[Any]], count: int) -> tuple[IntArray, IntArray, FloatArray]:
    """(counts [r], columns, values) of the `count` largest of each row, as `nearest`."""
    best = np.argpartition(-rows, count - 1, axis=1)[:, :count]
    values = np.take_along_axis(rows, best, 1)
    order = np.lexsort((best, -values), axis=1)
    best, values = np.take_along_axis(best, order, 1), np.take_along_axis(values, order, 1)
    positive = values > 0
    return positive.sum(axis=1), best[positive].astype(np.int64), values[positive].astype(np.float32)
