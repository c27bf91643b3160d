"""What users did lately, as a sequence model's lessons of a slice: all of it, not only what they did of lists.

A model that learned from its own lists alone would learn what it knew. The newest acts come again in the slices after, so a slice
needs no sequences of those before. They end before lists were shown that are in no slice yet: what answers a list is learned
from once that has been scored.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, Protocol

from features.clock import Clock
from features.contracts.admission import Admission, Marked, Misplaced, key_text
from features.contracts.events import id_hash
from features.errors import BadEvent
from features.keys import EVENTS
from features.schema.tables import Schema, is_act
from features.types import FORGET_USER, UNDO, ItemId, Millis, UserId
from offline.base.kafka_log import Record, Span
from offline.datasets.dataset import EventRow
from offline.training_data.ranking_lists import sequence_of

ACTS: Final = 10_000
"""So many of the newest records of the events' topic."""
ACTS_OF_USER: Final = 100
"""Of what stands of these the newest of each user: who does a thousand things is one user."""


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


class ActLog(Protocol):
    """A log whose newest records up to a time can be found."""

    def spans(self, topic: str, partitions: int | None = None, until: Millis | None = None) -> list[Span]: ...

    def read(self, span: Span) -> Iterator[Record]: ...


def newest_acts(
    admission: Admission, is_known: Callable[[ItemId], bool], log: ActLog, clock: Clock, until: Millis
) -> Iterator[Act]:
    """What stands of the newest ACTS records that the broker had taken by a time of its own (ms), as many of each partition: each
    event once, none that was taken back or whose user was forgotten since, none of an item that is not known. Nothing is folded:
    a base that was made of the log has these events already. Raises Unavailable, Broken."""
    spans = log.spans(EVENTS, until=until)
    for span in spans:
        standing: dict[tuple[UserId, int], Act] = {}
        for record in log.read(span._replace(start=max(span.start, span.end - ACTS // len(spans)))):
            try:
                key, now = key_text(record.key), clock.at(record.broker_ts)
                event = admission.admit(record.value, key, span.partition, record.broker_ts, now)
            except (BadEvent, Misplaced, Marked):
                continue
            if event.kind == FORGET_USER:
                standing = {key: act for key, act in standing.items() if act.user_id != event.user_id}
            elif event.kind == UNDO:
                standing.pop((event.user_id, id_hash(event.target)), None)
            elif is_act(event.kind) and is_known(event.item_id):
                act = Act(event.user_id, event.item_id, event.kind, event.centi, event.ts, record.offset)
                standing.setdefault((event.user_id, id_hash(event.event_id)), act)
        yield from standing.values()


def sequences_of(acts: Iterable[Act], schema: Schema, mean: float) -> Sequences:
    """The newest acts of each user, in the order of time, ties in the order of the log. mean: the weight, in units, that has the
    importance 1."""
    of_users: dict[UserId, list[Act]] = {}
    for act in acts:
        of_users.setdefault(act.user_id, []).append(act)
    rows = []
    for user_id, found in of_users.items():
        newest = sorted(found, key=lambda act: (act.ts, act.number))[-ACTS_OF_USER:]
        seqs, items, kinds, centis, times = (
            [getattr(act, name) for act in newest] for name in ("number", "item_id", "kind", "centi", "ts")
        )
        weights = [schema.weight(act.kind, act.centi) for act in newest]
        rows.append(sequence_of(user_id, seqs, items, kinds, centis, times, weights, mean))
    left_out = sum(max(len(found) - ACTS_OF_USER, 0) for found in of_users.values())
    return Sequences(rows, left_out)
