"""What users did lately, as a sequence model's lessons of a slice: all of it, not only what they did of lists.

A model that learned from its own lists alone would learn what it knew. The newest acts come again in the slices after, as
regularisation, so a slice needs no lessons of those before.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from features.inputs.history import mark_of
from features.keys import EVENTS
from features.schema.tables import Schema
from features.types import ItemId, Millis, UserId
from offline.base.kafka_log import KafkaLog, Span
from offline.datasets.dataset import EventRow

ACTS: Final = 10_000
"""The newest events of all users that a slice learns from."""
ACTS_OF_USER: Final = 100
"""Of these the newest of each user: who does a thousand things is one user."""


class Act(NamedTuple):
    """One event but an impression. number: ascending in the order of the log, of each user at least."""

    user_id: UserId
    item_id: ItemId
    kind: int
    centi: int
    ts: Millis
    number: int


def act_of_row(number: int, row: EventRow) -> Act:
    """The act that a row of a data set is."""
    user_id, item_id, kind, centi, ts = row[:5]
    return Act(user_id, item_id, kind, centi, ts, number)


class Sequences(NamedTuple):
    """rows: as `offline.training_data.ranking_lists.SEQUENCES`; left_out: acts beyond ACTS_OF_USER of one user."""

    rows: list[tuple[Any, ...]]
    left_out: int


def newest_spans(log: KafkaLog) -> list[Span]:
    """The newest records of the events' topic, as many of each partition. Raises Unavailable."""
    spans = log.spans(EVENTS)
    return [span._replace(start=max(span.start, span.end - ACTS // len(spans))) for span in spans]


def sequences_of(acts: Iterable[Act], schema: Schema, mean: float) -> Sequences:
    """The newest acts of each user, in the order of time, ties in the order of the log. mean: the weight, in units, that has the
    importance 1."""
    of_users: dict[UserId, list[Act]] = {}
    for act in acts:
        of_users.setdefault(act.user_id, []).append(act)
    rows = []
    for user_id, found in of_users.items():
        newest = sorted(found, key=lambda act: (act.ts, act.number))[-ACTS_OF_USER:]
        marks = [mark_of(act.kind, act.centi) for act in newest]
        importances = [max(schema.weight(act.kind, act.centi), 0) / mean for act in newest]
        columns = ([getattr(act, name) for act in newest] for name in ("number", "item_id"))
        rows.append((user_id, *columns, marks, [act.ts for act in newest], importances))
    left_out = sum(max(len(found) - ACTS_OF_USER, 0) for found in of_users.values())
    return Sequences(rows, left_out)
