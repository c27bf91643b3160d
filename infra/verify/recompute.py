"""Recomputes the features from base and log: the pure fold over every record, as in the job."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from features.base.reader import Base
from features.contracts.admission import Marked, Misplaced, admit, admit_list, key_text, user_of_key
from features.contracts.items import item_of_record
from features.errors import BadEvent, Broken
from features.fold.catalogue import as_folded
from features.fold.co_visits import Pairs, slots_of
from features.fold.dedupe import DedupeMemory
from features.fold.impressions import fold_list, list_memory
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user, thaw_user, undone_item
from features.keys import EVENTS, ITEMS, SERVED
from features.types import UNDO, Contribution, Event
from features.verdicts import MARKS, REJECTED, REROUTED
from offline.base.kafka_log import KafkaLog, Span
from streaming.settings import JobSettings


@dataclass
class Expected:
    """Every user, item and set of pairs that the log touches, the next offset by user, and verdicts by partition."""

    users: dict[int, UserState] = field(default_factory=dict)
    next_offsets: dict[int, int] = field(default_factory=dict)
    items: dict[int, ItemFeatures] = field(default_factory=dict)
    pairs: dict[int, Pairs] = field(default_factory=dict)
    ledgers: dict[int, Counter[str]] = field(default_factory=dict)
    list_ledgers: dict[int, Counter[str]] = field(default_factory=dict)

    def total(self) -> Counter[str]:
        """Returns the ledger of `events` over all partitions."""
        return sum(self.ledgers.values(), Counter())


class Recomputer:
    """Folds the log, record by record."""

    def __init__(self, base: Base, settings: JobSettings) -> None:
        self._base = base
        self._clock = settings.clock()
        self._items = settings.items
        self._lists: dict[int, DedupeMemory] = {}
        self._catalogue = base.versions()
        self._versions = dict(base.catalogue_versions)
        """The catalogue's version that holds in each partition."""
        self._next = {(topic, number): at for topic, parts in base.offsets.items() for number, at in parts.items()}
        self._next[ITEMS, 0] = base.catalogue_start
        self.expected = Expected()

    def feed(self, topic: str, partition: int, offset: int, broker_ts: int, key: bytes | None, value: bytes) -> None:
        """Fold one record of `events` or `served`, or take one of `items`, which must come before those that follow on it in the
        other two. A partition's records must come in order; those that were fed, or are in the base, are skipped."""
        if offset < self._next[topic, partition]:
            return
        self._next[topic, partition] = offset + 1
        if topic == ITEMS:
            item = item_of_record(value, self._base.schema)
            self._catalogue.put(offset, broker_ts, None if item is None else as_folded(item))
            return
        text = key_text(key)
        if topic == EVENTS:
            verdict = self._feed_event(partition, offset, broker_ts, text, value)
            ledgers = self.expected.ledgers
        else:
            verdict = self._feed_list(partition, broker_ts, text, value)
            ledgers = self.expected.list_ledgers
        ledger = ledgers.setdefault(partition, Counter())
        ledger["read"] += 1
        ledger[verdict] += 1

    def next_offset(self, topic: str, partition: int) -> int:
        """Returns the offset of a partition's record to come next."""
        return self._next[topic, partition]

    def pass_to(self, topic: str, partition: int, end: int) -> None:
        """Note that a partition has no more records before an offset."""
        self._next[topic, partition] = max(self._next[topic, partition], end)
        if topic == ITEMS:
            self._catalogue.arrivals.pass_to(end)

    def _feed_event(self, partition: int, offset: int, broker_ts: int, key: str, value: bytes) -> str:
        expected = self.expected
        try:
            event = admit(value, key, partition, broker_ts, self._clock.at(broker_ts), self._base.schema)
        except BadEvent:
            user_id = user_of_key(key, partition, self._base.schema)
            if user_id is not None:
                self._user(user_id)
                expected.next_offsets[user_id] = offset + 1
            return REJECTED
        except Misplaced:
            return REROUTED
        except Marked as mark:
            if not self._catalogue.arrivals.holds(mark.version, broker_ts):
                return REJECTED
            self._versions[partition] = max(self._versions[partition], mark.version)
            return MARKS
        state = self._user(event.user_id)
        self._check_name(state, event)
        item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
        item = None if item_id is None else self._catalogue.item(item_id, self._versions[partition])
        verdict, added = fold_user(state, event, item, offset + 1, self._base.schema)
        expected.next_offsets[event.user_id] = offset + 1
        if added is not None:
            self._add(added)
        return verdict

    def _check_name(self, state: UserState, event: Event) -> None:
        """Raise Broken where two ids outside stand for one number."""
        known = state.features.user_id
        if isinstance(known, str) and event.user and known != event.user:
            raise Broken(f"two users have the number {event.user_id}: {known!r} and {event.user!r}")

    def _feed_list(self, partition: int, broker_ts: int, key: str, value: bytes) -> str:
        try:
            head = admit_list(value, key, partition, broker_ts, self._clock.at(broker_ts), self._base.schema)
        except BadEvent:
            return REJECTED
        memory = self._lists.get(head.user_id)
        if memory is None:
            stored = self._base.user(head.user_id)
            memory = self._lists[head.user_id] = list_memory([] if stored is None else stored.lists)
        verdict, contributions = fold_list(memory, head)
        for each in contributions:
            self._add(each)
        return verdict

    def _user(self, user_id: int) -> UserState:
        state = self.expected.users.get(user_id)
        if state is None:
            stored = self._base.stored_user(user_id)
            state = UserState(UserFeatures(user_id)) if stored is None else thaw_user(stored)
            self.expected.users[user_id] = state
        return state

    def _add(self, added: Contribution) -> None:
        if not self._items:
            return
        items, pairs = self.expected.items, self.expected.pairs
        item = items.get(added.item_id)
        if item is None:
            item = self._base.item_features(added.item_id) or ItemFeatures(added.item_id)
        items[added.item_id] = fold_item(item, added, self._base.schema)
        for item_id, ts, key, other, weight in slots_of(added):
            if item_id not in pairs:
                pairs[item_id] = self._base.pairs(item_id)
            pairs[item_id].fold(ts, key, other, weight)


Ends = dict[tuple[str, int], int]
"""(topic, partition) → end offset."""


class LogReader(Protocol):
    """The log, for `verify`."""

    def read(self, recomputer: Recomputer) -> Ends:
        """Feed all of it up to its present end; returns the end offsets."""
        ...

    def ends(self) -> Ends:
        """Returns the present end offsets."""
        ...


class KafkaReader:
    """The log in Kafka. Raises Unavailable where it can't be read, Broken where it lacks what is not in the base any more."""

    def __init__(self, bootstrap: str) -> None:
        self._log = KafkaLog(bootstrap)

    def read(self, recomputer: Recomputer) -> Ends:
        ends = self.ends()
        # Items come first, up to an end that is fetched last: all that a mark in the log may name has been read.
        for (topic, partition), end in {(ITEMS, 0): self._log.items_end(), **ends}.items():
            for record in self._log.read(Span(topic, partition, recomputer.next_offset(topic, partition), end)):
                recomputer.feed(topic, partition, record.offset, record.broker_ts, record.key, record.value)
            recomputer.pass_to(topic, partition, end)
        return ends

    def ends(self) -> Ends:
        spans = [*self._log.spans(EVENTS), *self._log.spans(SERVED)]
        return {(span.topic, span.partition): span.end for span in spans}
