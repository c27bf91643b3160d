"""Rows of a data set as events with a kind, a value and a weight."""

from collections.abc import Iterator

import numpy as np

from features.arrays import IntArray
from features.fold.event_weights import kinds_that_count_once, weights_of, without_repeats
from features.schema.tables import Schema
from features.types import Event, ItemId, Millis, UserId
from offline.datasets.dataset import COLUMNS, Dataset, event_of, rows_between

EventRow = tuple[UserId, ItemId, int, int, Millis]
"""(user, item, code of the kind, value in hundredths, ts in ms)."""


def event_rows(dataset: Dataset, start_row: int, end_row: int) -> Iterator[EventRow]:
    """Rows `start_row` ≤ row < `end_row` in the data set's order. Raises Broken if the file is not whole."""
    for batch in rows_between(dataset, start_row, end_row):
        yield from zip(*(batch[name].to_numpy().tolist() for name in COLUMNS), strict=True)


def event_of_row(name: str, row: EventRow) -> Event:
    """The event of a row of the data set `name`."""
    return event_of(name, *row)


def row_weights(dataset: Dataset, rows: int, schema: Schema) -> IntArray:
    """int64 [rows] what the fold counts of each of the first `rows` rows, in units of the schema. Where no kind counts once only,
    memory is that of the result; else 17 bytes a row more."""
    weights, columns = [np.zeros(0, np.int64)], [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int8))]
    once = kinds_that_count_once(schema)
    for batch in rows_between(dataset, 0, rows):
        kinds = batch["kind"].to_numpy()
        weights.append(weights_of(schema, kinds, batch["centi"].to_numpy()))
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
