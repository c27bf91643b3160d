"""Rows of a data set as events with a kind, a value and a weight."""

import numpy as np

from features.arrays import IntArray
from features.fold.event_weights import kinds_that_count_once, weights_of, without_repeats
from features.schema.tables import Schema
from features.types import IMPRESSION
from features.units import SESSION_GAP_MS
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


def query_weights(dataset: Dataset, rows: int, schema: Schema) -> IntArray:
    """int64 [rows] above 0 where a list is asked for: before the first positive of a user on an item in a session. A look, a cart
    and a purchase of one thing are one answer to the list before the look, and count as much as the largest of them, in units
    of the schema: a look that ends in a purchase is worth a purchase. 0 for all other rows. Memory is 32 bytes a row, and what
    it takes to order them.
    """
    users, items, times = (np.zeros(rows, np.int64) for _ in range(3))
    acts = np.zeros(rows, bool)
    start = 0
    for batch in rows_between(dataset, 0, rows):
        part = slice(start, start := start + len(batch))
        users[part], items[part] = batch["user_id"].to_numpy(), batch["item_id"].to_numpy()
        times[part], acts[part] = batch["ts"].to_numpy(), batch["kind"].to_numpy() != IMPRESSION
    weights = row_weights(dataset, rows, schema)
    order = np.flatnonzero(acts)
    order = order[np.argsort(users[order], kind="stable")]
    begins = (np.diff(users[order], prepend=-1) != 0) | (np.diff(times[order], prepend=0) > SESSION_GAP_MS)
    sessions, positive = np.cumsum(begins), weights[order] > 0
    order, sessions = order[positive], sessions[positive]
    taken = np.stack([sessions, items[order]], axis=1)
    _, first, which = np.unique(taken, axis=0, return_index=True, return_inverse=True)
    best, found = np.zeros(len(first), np.int64), np.zeros(rows, np.int64)
    np.maximum.at(best, which.ravel(), weights[order])
    found[order[first]] = best
    return found


def mean_weight(weights: IntArray) -> float:
    """The mean of the weights above 0, by which training measures single ones: a history of clicks alone then teaches as much as
    one of purchases alone. 1 where there are none.

    >>> mean_weight(np.array([-8, 0, 2, 4]))
    3.0
    """
    positive = weights[weights > 0]
    return float(positive.mean()) if len(positive) else 1.0
