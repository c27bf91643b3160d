"""Rows of a data set as events with a kind, a value and a weight."""

import numpy as np

from features.arrays import IntArray
from features.fold.event_weights import kinds_that_count_once, weights_of, without_repeats
from features.schema.tables import Schema
from offline.datasets.dataset import Dataset, rows_between


def row_weights(dataset: Dataset, rows: int, schema: Schema) -> IntArray:
    """int64 [rows] what the fold counts of each of the first `rows` rows, in units of the schema. Where no kind counts once only,
    memory is that of the result; else 17 bytes a row more, and what it takes to order them."""
    once = kinds_that_count_once(schema)
    weights = np.zeros(rows, np.int64)
    users, items = (np.zeros(rows if once else 0, np.int64) for _ in range(2))
    all_kinds = np.zeros(len(users), np.int8)
    start = 0
    for batch in rows_between(dataset, 0, rows):
        part = slice(start, start := start + len(batch))
        kinds = batch["kind"].to_numpy()
        weights[part] = weights_of(schema, kinds, batch["centi"].to_numpy())
        if once:
            users[part], items[part], all_kinds[part] = batch["user_id"].to_numpy(), batch["item_id"].to_numpy(), kinds
    if not once:
        return weights
    return without_repeats(schema, users, items, all_kinds, weights)


def mean_weight(weights: IntArray) -> float:
    """The mean of the weights above 0, by which training measures single ones: a history of clicks alone then teaches as much as
    one of purchases alone. 1 where there are none.

    >>> mean_weight(np.array([-8, 0, 2, 4]))
    3.0
    """
    positive = weights[weights > 0]
    return float(positive.mean()) if len(positive) else 1.0
