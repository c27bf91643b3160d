"""The rows of the protocol: which of them are queries, and the context of each query before it is learned."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from features.types import ItemId, Millis, UserId
from offline.datasets.dataset import Dataset, rows_between
from offline.evaluation.ranking_metrics import Queries


class ProtocolRow(NamedTuple):
    """One row. is_query: whether the system predicts it before it learns it."""

    number: int
    user_id: UserId
    item_id: ItemId
    rating: float
    ts: Millis
    is_query: bool


def protocol_rows(dataset: Dataset, first: int, end: int, queries: Queries) -> Iterator[ProtocolRow]:
    """The first `end` rows in order. From row `first` on, a row rated at least 4 is a query if its item has been seen
    before; its context then goes into `queries`."""
    events: dict[UserId, int] = defaultdict(int)
    newest: dict[UserId, Millis] = {}
    since: dict[ItemId, Millis] = {}
    number = 0
    for batch in rows_between(dataset, 0, end):
        columns = (batch[name].to_pylist() for name in ("user_id", "item_id", "rating", "ts"))
        for user_id, item_id, rating, ts in zip(*columns, strict=True):
            is_query = number >= first and rating >= 4 and item_id in since
            if is_query:
                gap = ts - newest[user_id] if user_id in newest else -1
                queries.add(user_id, item_id, gap, events[user_id], ts - since[item_id])
            yield ProtocolRow(number, user_id, item_id, rating, ts, is_query)
            events[user_id] += 1
            newest[user_id] = ts
            since.setdefault(item_id, ts)
            number += 1
