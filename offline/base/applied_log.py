"""What a home has learned, event by event: its history and what the job has applied of the log since.

An event that was sent twice is one; what an undo has taken back is none, and of a user who was forgotten nothing before is left.
The log is read twice, in order: first folded, to know what was applied, then to give it. Memory holds a byte a record, and while
a partition is folded the states of its users.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from features.arrays import BoolArray
from features.base.reader import Base
from features.clock import Clock
from features.contracts.admission import Marked, Misplaced, key_text
from features.contracts.events import id_hash
from features.errors import BadEvent
from features.fold.state import UserFeatures, decode_user
from features.fold.user import UserState, fold_user, thaw_user
from features.ids import OuterId
from features.types import FORGET_USER, NO_ID, UNDO, Event, Millis, UserId
from features.verdicts import APPLIED
from offline.base.kafka_log import Log, Record, Span
from offline.datasets.dataset import Dataset, event_of, whole_rows


class AppliedLog:
    """The events behind a base up to the ends of `spans`, which begin where the base ends.

    forgotten  users whose events before their newest `forget_user` are left out, history included
    until      the home's time (ms) of the newest record
    attributes users of the log → (id outside, attributes as canonical JSON), where the schema lets users have some
    """

    def __init__(self, base: Base, log: Log, spans: Sequence[Span], clock: Clock) -> None:
        self._base, self._log, self._spans, self._clock = base, log, spans, clock
        self._applied: dict[int, BoolArray] = {}
        self._undone: set[tuple[UserId, int]] = set()
        self.until: Millis = -1
        self.forgotten: dict[UserId, int] = {}
        self.attributes: dict[UserId, tuple[OuterId, str]] = {}
        for span in spans:
            self._fold(span)

    def history(self, dataset: Dataset) -> Iterator[Event]:
        """What is left of the rows that the base was made of."""
        rows = int(self._base.manifest["history_rows"])
        for row in whole_rows(dataset, 0, rows):
            event = event_of(dataset.name, *row)
            if event.user_id not in self.forgotten and self._stands(event):
                yield event

    def events(self) -> Iterator[Event]:
        """What is left of the log, partition by partition in its order; acts and impressions alone."""
        for span in self._spans:
            applied = self._applied[span.partition]
            for record in self._log.read(span):
                if not applied[record.offset - span.start]:
                    continue
                event = self._admitted(record, span)
                if event is None or event.item_id == NO_ID or not self._stands(event):
                    continue
                if record.offset > self.forgotten.get(event.user_id, -1):
                    yield event

    def profiles(self) -> Iterator[tuple[OuterId, str]]:
        """(id outside, attributes as canonical JSON) of the users who have any at the end of the log."""
        if not self._base.schema.users:
            return
        for user_id, stored in self._base.users():
            if user_id not in self.attributes and (features := decode_user(stored.features)).attributes:
                yield features.user_id, features.attributes
        yield from (each for each in self.attributes.values() if each[1])

    def _stands(self, event: Event) -> bool:
        return (event.user_id, id_hash(event.event_id)) not in self._undone

    def _admitted(self, record: Record, span: Span) -> Event | None:
        now = self._clock.at(record.broker_ts)
        self.until = max(self.until, now)
        try:
            key = key_text(record.key)
            return self._base.admission.admit(record.value, key, span.partition, record.broker_ts, now)
        except (BadEvent, Misplaced, Marked):
            return None

    def _fold(self, span: Span) -> None:
        applied = np.zeros(span.end - span.start, bool)
        states: dict[UserId, UserState] = {}
        for record in self._log.read(span):
            event = self._admitted(record, span)
            if event is None:
                continue
            state = states.get(event.user_id)
            if state is None:
                stored = self._base.stored_user(event.user_id)
                state = UserState(UserFeatures(event.user_id)) if stored is None else thaw_user(stored)
                states[event.user_id] = state
            verdict, added = fold_user(state, event, None, record.offset + 1, self._base.schema)
            applied[record.offset - span.start] = verdict == APPLIED
            if verdict == APPLIED and event.kind == FORGET_USER:
                self.forgotten[event.user_id] = record.offset
            elif event.kind == UNDO and added is not None:
                self._undone.add((event.user_id, added.key))
        self._applied[span.partition] = applied
        if self._base.schema.users:
            self.attributes |= {
                user: (state.features.user_id, state.features.attributes) for user, state in states.items()
            }
