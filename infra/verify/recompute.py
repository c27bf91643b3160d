"""Recomputes the features from base and log: the pure fold over every record, as in the job."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from features.base.reader import Base
from features.contracts.admission import Marked, Misplaced, admit, admit_list, key_text, user_of_key
from features.contracts.items import item_of_record
from features.errors import BadEvent, Unavailable
from features.fold.catalogue import as_folded
from features.fold.co_visits import Pairs, slots_of
from features.fold.dedupe import DedupeMemory
from features.fold.impressions import fold_list, list_memory
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user, thaw_user, undone_item
from features.keys import EVENTS, ITEMS, PARTITIONS, SERVED
from features.types import UNDO, Contribution
from features.verdicts import MARKS, REJECTED, REROUTED
from streaming.settings import JobSettings

READ_TIMEOUT = 600.0


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
        self.expected = Expected()

    def feed(self, topic: str, partition: int, offset: int, broker_ts: int, key: bytes | None, value: bytes) -> None:
        """Fold one record of `events` or `served`, or take one of `items`, which must come before those that follow on it in the
        other two. A partition's records must come in order; those contained in the base are skipped."""
        if topic == ITEMS:
            item = item_of_record(value, self._base.schema)
            self._catalogue.put(offset, None if item is None else as_folded(item))
            return
        if offset < self._base.offsets[topic][partition]:
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
            if mark.version > self._catalogue.end:
                return REJECTED
            self._versions[partition] = max(self._versions[partition], mark.version)
            return MARKS
        state = self._user(event.user_id)
        item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
        item = None if item_id is None else self._catalogue.item(item_id, self._versions[partition])
        verdict, added = fold_user(state, event, item, offset + 1, self._base.schema)
        expected.next_offsets[event.user_id] = offset + 1
        if added is not None:
            self._add(added)
        return verdict

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


def _partitions() -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic in (EVENTS, SERVED) for number in range(PARTITIONS)]


def read_log(bootstrap: str, recomputer: Recomputer) -> Ends:
    """Feed the whole log up to its present end; returns the end offsets. Raises Unavailable."""
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, enable_auto_commit=False, max_poll_records=5000, fetch_max_bytes=32 << 20,
            max_partition_fetch_bytes=8 << 20,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + READ_TIMEOUT
            ends = consumer.end_offsets(_partitions())
            # Items come first, up to an end that is fetched last: no mark in the log is ahead of them.
            items = TopicPartition(ITEMS, 0)
            _read_all(consumer, consumer.end_offsets([items]), recomputer, deadline)
            _read_all(consumer, ends, recomputer, deadline)
            return {(part.topic, part.partition): end for part, end in ends.items()}
        finally:
            consumer.close()
    except KafkaError as error:
        raise Unavailable(f"the log could not be read: {error}") from error


def _read_all(
    consumer: KafkaConsumer, ends: Mapping[TopicPartition, int], recomputer: Recomputer, until: float
) -> None:
    """Feed the records of partitions from their first to before their ends. Raises Unavailable after `until` (time.monotonic)."""
    parts = list(ends)
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    left = {part for part in parts if consumer.position(part) < ends[part]}
    while left:
        if time.monotonic() > until:
            raise Unavailable(f"the log could not be read within {READ_TIMEOUT:.0f} s")
        for part, records in consumer.poll(timeout_ms=500).items():
            for record in records:
                if record.offset < ends[part]:
                    recomputer.feed(
                        part.topic, part.partition, record.offset, record.timestamp, record.key, record.value or b""
                    )
        left = {part for part in left if consumer.position(part) < ends[part]}


def read_log_ends(bootstrap: str) -> Ends:
    """Returns the present end offset of each partition of the log."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        return {(part.topic, part.partition): end for part, end in consumer.end_offsets(_partitions()).items()}
    finally:
        consumer.close()


class LogReader(Protocol):
    """The log, for `verify`."""

    def read(self, recomputer: Recomputer) -> Ends:
        """Feed all of it up to its present end; returns the end offsets."""
        ...

    def ends(self) -> Ends:
        """Returns the present end offsets."""
        ...


class KafkaReader:
    """The log in Kafka. Raises Unavailable where it can't be read."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def read(self, recomputer: Recomputer) -> Ends:
        return read_log(self._bootstrap, recomputer)

    def ends(self) -> Ends:
        return read_log_ends(self._bootstrap)
