"""Rows of a data set as events with a kind, a value and a weight. Rows without a kind are ratings."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from features.arrays import AnyArray, IntArray
from features.fold.event_weights import kinds_that_count_once, weights_of, without_repeats
from features.schema.tables import Schema
from features.types import RATING, Event, ItemId, Millis, UserId
from offline.datasets.dataset import Dataset, event_of, rows_between

EventRow = tuple[UserId, ItemId, int, int, Millis]
"""(user, item, code of the kind, value in hundredths, ts in ms)."""


def kinds_of(batch: pa.RecordBatch) -> AnyArray:
    """int8 [n] codes of the kinds of a batch of rows."""
    if "kind" in batch.schema.names:
        return np.asarray(batch["kind"].to_numpy(), np.int8)
    return np.full(batch.num_rows, RATING, np.int8)


def centis_of(batch: pa.RecordBatch) -> IntArray:
    """int64 [n] values of a batch of rows, in hundredths."""
    if "centi" in batch.schema.names:
        return np.asarray(batch["centi"].to_numpy(), np.int64)
    return np.asarray(np.floor(batch["rating"].to_numpy() * 100 + 0.5), np.int64)


def event_rows(dataset: Dataset, start_row: int, end_row: int) -> Iterator[EventRow]:
    """Rows `start_row` ≤ row < `end_row` in the data set's order. Raises Broken if the file is not whole."""
    for batch in rows_between(dataset, start_row, end_row):
        columns = batch["user_id"], batch["item_id"], kinds_of(batch), centis_of(batch), batch["ts"]
        yield from zip(*(column.tolist() for column in columns), strict=True)


def event_of_row(name: str, row: EventRow) -> Event:
    """The event of a row of the data set `name`."""
    return event_of(name, *row)


def row_weights(dataset: Dataset, rows: int, schema: Schema) -> IntArray:
    """int64 [rows] what the fold counts of each of the first `rows` rows, in units of the schema. Where no kind counts once only,
    memory is that of the result; else 17 bytes a row more."""
    weights, columns = [np.zeros(0, np.int64)], [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int8))]
    once = kinds_that_count_once(schema)
    for batch in rows_between(dataset, 0, rows):
        kinds = kinds_of(batch)
        weights.append(weights_of(schema, kinds, centis_of(batch)))
        if once:
            columns.append((batch["user_id"].to_numpy(), batch["item_id"].to_numpy(), kinds))
    whole = np.concatenate(weights)
    if not once:
        return whole
    users, items, all_kinds = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return without_repeats(schema, users, items, all_kinds, whole)


def mean_weight(weights: IntArray) -> float:
    """The mean of the weights above 0, by which training measures single ones: a history of clicks alone then teaches as much as
    one of purchases alone. 1 where there are none.

    >>> mean_weight(np.array([-8, 0, 2, 4]))
    3.0
    """
    positive = weights[weights > 0]
    return float(positive.mean()) if len(positive) else 1.0
