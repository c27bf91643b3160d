"""The protocol in memory: a replay of the rows (`offline.training_data.history_walk`), and any number of methods that each give
a list."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from features.arrays import IntArray
from features.contracts.served import MAX_CANDIDATES
from features.inputs.moment import Moment
from features.inputs.signals import RECALL_SIGNALS, Signals, candidates, find_signals
from features.schema.tables import Schema
from features.types import Item, ItemId
from models.training.row_metrics import TOP
from offline.datasets.dataset import Dataset, EventRow
from offline.evaluation.protocol import ProtocolRow, protocol_rows
from offline.evaluation.ranking_metrics import Queries, as_list
from offline.training_data.history_walk import HistoryWalk, item_ids

NEVER: Final = 1 << 60


@dataclass(frozen=True)
class RankingQuery:
    """The input of a method: the moment, its signals, and the rows of its candidates."""

    moment: Moment
    signals: Signals
    rows: IntArray


Method = Callable[[RankingQuery], IntArray]
"""Rows of the best items, best first, at least the top 10 where there are so many."""
Lesson = Callable[[ProtocolRow, int], None]
"""What learns from each row, after the queries before it: the row, and the row of its item in the index."""


def by_signal(name: str) -> Method:
    """The method that ranks by one signal alone."""
    return lambda query: query.signals.orders[name][:TOP]


def by_fusion_of_ranks(names: Sequence[str], constant: float = 10.0) -> Method:
    """Reciprocal rank fusion: G. Cormack, C. Clarke, S. Büttcher, SIGIR 2009."""

    def method(query: RankingQuery) -> IntArray:
        scores = np.zeros(len(query.moment.items))
        for name in names:
            order = query.signals.orders[name]
            scores[order] += 1 / (constant + 1 + np.arange(len(order)))
        best: IntArray = np.argsort(-scores, kind="stable")[:TOP]
        return best[scores[best] > 0]

    return method


class QueryLists(NamedTuple):
    """What a walk brings. lists: of each method, [A, TOP] item ids before each query; page_lists: the same, [P, TOP], before the
    first row of each page."""

    queries: Queries
    lists: dict[str, IntArray]
    page_lists: dict[str, IntArray]


def prequential(
    dataset: Dataset,
    catalogue: dict[ItemId, Item],
    relations: Path,
    schema: Schema,
    first: int,
    methods: Mapping[str, Method],
    late_ms: int = 0,
    lessons: Sequence[Lesson] = (),
    progress: Callable[[int], None] = lambda _: None,
    since: int = 0,
    end: int | None = None,
) -> QueryLists:
    """Replay all rows, or those before row `end`, with queries from row `first` on, and lists for those from `since` on. Pages
    are those of all rows: one whose rows lie on both sides of `end` has its list where it opens.

    schema: what events mean. late_ms: rows from `first` on are known to the methods so much later than they happen; NEVER: not
    at all. (Items that are hidden by now are left out all the same.) The weights between items in `relations` stay as they are.
    """
    ids = item_ids(dataset, dataset.rows)
    walk = HistoryWalk(dataset, catalogue, ids, relations, schema)
    late = HistoryWalk(dataset, catalogue, ids, relations, schema) if late_ms else walk
    waiting: deque[EventRow] = deque()
    queries = Queries()
    lists: dict[str, list[IntArray]] = {name: [] for name in methods}
    page_lists: dict[str, list[IntArray]] = {name: [] for name in methods}
    for row in islice(protocol_rows(dataset, schema, first, dataset.rows, queries), end):
        if (row.is_query or row.opens_page) and row.number >= since:
            while waiting and waiting[0][4] <= row.ts - late_ms:
                late.fold(waiting.popleft())
            moment = late.moment(row.event)
            if late is not walk:
                moment = replace(moment, allowed=walk.allowed(row.user_id, row.ts))
            signals = find_signals(moment)
            rows, _ = candidates(signals.find(RECALL_SIGNALS), MAX_CANDIDATES)
            query = RankingQuery(moment, signals, rows)
            for name, method in methods.items():
                found = as_list(ids[method(query)[:TOP]])
                if row.is_query:
                    lists[name].append(found)
                if row.opens_page:
                    page_lists[name].append(found)
            progress(row.number)
        for learn in lessons if row.number >= since else ():
            learn(row, walk.index.row_of[row.item_id])
        walk.fold(row.event)
        if late is not walk and row.number < first:
            late.fold(row.event)
        elif late is not walk:
            waiting.append(row.event)
    return QueryLists(queries, stacked(lists), stacked(page_lists))


def stacked(lists: dict[str, list[IntArray]]) -> dict[str, IntArray]:
    """Lists [TOP] of each method as one array [A, TOP]."""
    return {name: np.array(values, np.int64).reshape(-1, TOP) for name, values in lists.items()}
