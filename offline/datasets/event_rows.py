"""Rows of a data set as events with a kind, a value and a weight."""

import numpy as np

from features.arrays import AnyArray, IntArray
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
    """int64 [rows] above 0 where a list is asked for, and what it counts, in units of the schema:

    - before each look: an event with a weight above 0 of a kind that is a click, coming back to an item included. No look is
      one where the act before it in the session was of another kind on the same item: then its user goes on with what is in hand;
    - before any other positive if nothing in its session was a look or a positive on its item before.

    So a look, a cart and a purchase of one thing are one answer, to the list before the look. The first of a session on an item
    counts as much as the largest weight that the session gives it: a look that ends in a purchase is worth a purchase. Memory is
    some 100 bytes a row.
    """
    users, items, times, kinds, own = event_columns(dataset, rows, schema)
    acts, sessions = sessions_of_acts(users, times, kinds)
    items, kinds, own = items[acts], kinds[acts], own[acts]
    del users, times
    counted = row_weights(dataset, rows, schema)[acts]
    same_session = np.diff(sessions, prepend=-1) == 0
    in_hand = same_session & (np.diff(items, prepend=-1) == 0) & (np.diff(kinds, prepend=-1) != 0)
    clicked = np.isin(kinds, click_kinds(schema)) & (own > 0) & ~in_hand
    found = np.zeros(rows, np.int64)
    found[acts[clicked]] = own[clicked]

    taken = np.flatnonzero(clicked | (counted > 0))
    numbers, item_numbers = np.unique(items[taken], return_inverse=True)
    _, first, which = np.unique(sessions[taken] * len(numbers) + item_numbers, return_index=True, return_inverse=True)
    largest = np.zeros(len(first), np.int64)
    np.maximum.at(largest, which, np.maximum(counted[taken], np.where(clicked[taken], own[taken], 0)))
    found[acts[taken[first]]] = largest
    return found


def event_columns(
    dataset: Dataset, rows: int, schema: Schema
) -> tuple[IntArray, IntArray, IntArray, AnyArray, IntArray]:
    """(users, items, times in ms, kinds, weights in units of the schema) of the first `rows` rows, each [rows]; a weight is what
    `Schema.weight` gives the row alone, be it a repeat or not."""
    users, items, times, weights = (np.zeros(rows, np.int64) for _ in range(4))
    kinds = np.zeros(rows, np.int8)
    start = 0
    for batch in rows_between(dataset, 0, rows):
        part = slice(start, start := start + len(batch))
        users[part], items[part] = batch["user_id"].to_numpy(), batch["item_id"].to_numpy()
        times[part], kinds[part] = batch["ts"].to_numpy(), batch["kind"].to_numpy()
        weights[part] = weights_of(schema, kinds[part], batch["centi"].to_numpy())
    return users, items, times, kinds, weights


def sessions_of_acts(users: IntArray, times: IntArray, kinds: AnyArray) -> tuple[IntArray, IntArray]:
    """(rows [n] of all events but impressions, user after user, each in the log's order; [n] the number of each one's session,
    ascending): what the silences between a user's acts part (`features.units.ends_session`)."""
    acts = np.flatnonzero(kinds != IMPRESSION)
    acts = acts[np.argsort(users[acts], kind="stable")]
    begins = (np.diff(users[acts], prepend=-1) != 0) | (np.diff(times[acts], prepend=0) > SESSION_GAP_MS)
    return acts, np.cumsum(begins)


def click_kinds(schema: Schema) -> list[int]:
    """The codes of the kinds that are clicks."""
    return [kind.code for kind in schema.kinds if kind is not None and kind.click]


def mean_weight(weights: IntArray) -> float:
    """The mean of the weights above 0, by which training measures single ones: a history of clicks alone then teaches as much as
    one of purchases alone. 1 where there are none.

    >>> mean_weight(np.array([-8, 0, 2, 4]))
    3.0
    """
    positive = weights[weights > 0]
    return float(positive.mean()) if len(positive) else 1.0
