"""The rows of the protocol: which of them are queries, and the context of each query before it is learned."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, IntArray
from features.schema.tables import Schema, is_act
from features.types import ItemId, Millis, UserId
from features.units import SECOND_MS
from offline.datasets.dataset import Dataset, EventRow, whole_rows
from offline.datasets.event_rows import event_columns, query_weights, row_weights
from offline.evaluation.ranking_metrics import Queries


class ProtocolRow(NamedTuple):
    """One row. weight: what the fold counts of it, in units of the schema; is_query: whether the system predicts it before it
    learns it; opens_page: whether it is the first row of a page, so that the page's list is due before it."""

    number: int
    event: EventRow
    weight: int
    is_query: bool
    opens_page: bool

    @property
    def user_id(self) -> UserId:
        return self.event[0]

    @property
    def item_id(self) -> ItemId:
        return self.event[1]

    @property
    def ts(self) -> Millis:
        return self.event[4]


def protocol_rows(dataset: Dataset, schema: Schema, first: int, end: int, queries: Queries) -> Iterator[ProtocolRow]:
    """The first `end` rows in order. From row `first` on, what a list could have brought is a query
    (`offline.datasets.event_rows.query_weights`) if the item has been seen before, by anybody; its context then goes into
    `queries`. What a user may be shown at a query is what no event hides from the user then: with some schemas also an item
    that the user knows. The queries of a user in one second are a page."""
    events: dict[UserId, int] = defaultdict(int)
    newest: dict[UserId, Millis] = {}
    since: dict[ItemId, Millis] = {}
    users, items, times, _, _ = event_columns(dataset, end, schema)
    queried = (query_weights(dataset, end, schema) > 0) & _known_before(items)
    queried[:first] = False
    pages, opens = _pages(users, times // SECOND_MS, queried, first)
    weights = row_weights(dataset, end, schema)
    columns = (queried.tolist(), opens.tolist(), pages.tolist(), weights.tolist())
    for number, (event, is_query, opens_page, page, weight) in enumerate(
        zip(whole_rows(dataset, 0, end), *columns, strict=True)
    ):
        user_id, item_id, kind, _, ts = event[:5]
        if is_query:
            gap = ts - newest[user_id] if user_id in newest else -1
            queries.add(user_id, item_id, ts, gap, events[user_id], ts - since[item_id], page)
        yield ProtocolRow(number, event, weight, is_query, opens_page)
        since.setdefault(item_id, ts)
        if is_act(kind):
            events[user_id] += 1
            newest[user_id] = ts


def _known_before(items: IntArray) -> BoolArray:
    """[n] whether an item is in a row before."""
    known = np.ones(len(items), bool)
    known[np.unique(items, return_index=True)[1]] = False
    return known


def _pages(users: IntArray, seconds: IntArray, queried: BoolArray, first: int) -> tuple[IntArray, BoolArray]:
    """(numbers [n] of the pages, in the order of their first rows; [n] whether a row is the first of a page). A page is the rows
    of a user in one second, from row `first` on, one of which is a query; other rows have the number -1."""
    rows = np.arange(first, len(users))
    pairs = np.stack([users[rows], seconds[rows]])
    _, opening, which = np.unique(pairs, axis=1, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    has_query = np.zeros(len(opening), bool)
    has_query[which[queried[rows]]] = True
    numbers, opens = np.full(len(users), -1, np.int64), np.zeros(len(users), bool)
    opens[rows[opening[has_query]]] = True
    order = np.full(len(opening), -1, np.int64)
    order[np.argsort(np.where(has_query, opening, len(users)), kind="stable")] = np.arange(len(opening))
    numbers[rows] = np.where(has_query[which], order[which], -1)
    return numbers, opens
