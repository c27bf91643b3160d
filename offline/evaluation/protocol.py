"""The rows of the protocol: which of them are queries, and the context of each query before it is learned."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from features.schema.tables import Schema, is_act
from features.types import ItemId, Millis, UserId
from offline.datasets.dataset import Dataset, EventRow, whole_rows
from offline.datasets.event_rows import query_weights, row_weights
from offline.evaluation.ranking_metrics import Queries


class ProtocolRow(NamedTuple):
    """One row. weight: what the fold counts of it, in units of the schema; is_query: whether the system predicts it before it
    learns it."""

    number: int
    event: EventRow
    weight: int
    is_query: bool

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
    that the user knows."""
    events: dict[UserId, int] = defaultdict(int)
    newest: dict[UserId, Millis] = {}
    since: dict[ItemId, Millis] = {}
    weights, queried = row_weights(dataset, end, schema).tolist(), query_weights(dataset, end, schema) > 0
    for number, (event, weight) in enumerate(zip(whole_rows(dataset, 0, end), weights, strict=True)):
        user_id, item_id, kind, _, ts = event[:5]
        is_query = number >= first and bool(queried[number]) and item_id in since
        if is_query:
            gap = ts - newest[user_id] if user_id in newest else -1
            queries.add(user_id, item_id, gap, events[user_id], ts - since[item_id])
        yield ProtocolRow(number, event, weight, is_query)
        since.setdefault(item_id, ts)
        if is_act(kind):
            events[user_id] += 1
            newest[user_id] = ts
