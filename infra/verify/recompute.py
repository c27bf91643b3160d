"""Recomputes the features from base and log: the pure fold over every record, by the specification or by the kernel."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from features.base.reader import Base
from features.contracts.admission import Marked, Misplaced, key_text
from features.contracts.items import item_of_record
from features.engines.kafka_address import KafkaAddress
from features.errors import BadEvent, Broken
from features.fold.catalogue import as_folded
from features.fold.co_visits import Pairs, slots_of
from features.fold.dedupe import DedupeMemory
from features.fold.impressions import fold_list, list_memory
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures, decode_stored_user
from features.fold.user import Outcome, UserState, fold_user, thaw_user, undone_item
from features.ids import OuterId
from features.kernel.contribution_rows import rows_of
from features.kernel.users.event_batch import VERDICTS, EventBatch, Folded, fold_lone, is_lone
from features.kernel.users.schema_rules import rules_of
from features.kernel.users.user_kernel import UserKernel
from features.kernel.users.user_rows import UserRows
from features.keys import EVENTS, ITEMS, SERVED
from features.types import UNDO, Contribution, Event
from features.verdicts import MARKS, REJECTED, REROUTED
from infra.verify.expected_users import ExpectedUsers, FoldedUsers, StoredUsers
from infra.verify.items_by_kernel import AT_ONCE, ItemsByKernel
from offline.base.kafka_log import KafkaLog, Span
from streaming.settings import JobSettings

BATCH = 500_000
"""Events that the kernel folds together: those of one user by one call, however many others' lie between them."""


@dataclass
class Expected:
    """Every user, item and set of pairs that the log touches, the next offset by user, and verdicts by partition."""

    users: ExpectedUsers = field(default_factory=FoldedUsers)
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
        self._users = FoldedUsers()
        self.expected = Expected(users=self._users)

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
        if verdict is not None:
            _count(ledgers, partition, verdict)

    def finish(self) -> None:
        """Complete `expected`, once all has been fed."""

    def next_offset(self, topic: str, partition: int) -> int:
        """Returns the offset of a partition's record to come next."""
        return self._next[topic, partition]

    def pass_to(self, topic: str, partition: int, end: int) -> None:
        """Note that a partition has no more records before an offset."""
        self._next[topic, partition] = max(self._next[topic, partition], end)
        if topic == ITEMS:
            self._catalogue.arrivals.pass_to(end)

    def _feed_event(self, partition: int, offset: int, broker_ts: int, key: str, value: bytes) -> str | None:
        """Returns the verdict; None if it is counted later."""
        expected = self.expected
        try:
            event = self._base.admission.admit(value, key, partition, broker_ts, self._clock.at(broker_ts))
        except BadEvent:
            user_id = self._base.admission.user_of_key(key, partition)
            if user_id is not None:
                self._touch(user_id)
                expected.next_offsets[user_id] = offset + 1
            return REJECTED
        except Misplaced:
            return REROUTED
        except Marked as mark:
            if not self._catalogue.arrivals.holds(mark.version, broker_ts):
                return REJECTED
            self._versions[partition] = max(self._versions[partition], mark.version)
            return MARKS
        expected.next_offsets[event.user_id] = offset + 1
        return self._fold(partition, event, offset + 1)

    def _fold(self, partition: int, event: Event, n: int) -> str | None:
        """Fold an event into its user, and what it adds into item and pairs. Returns the verdict; None if it is counted later."""
        state = self._user(event.user_id)
        verdict, added = self._fold_plainly(partition, state, event, n)
        if added is not None:
            self._add(added)
        return verdict

    def _fold_plainly(self, partition: int, state: UserState, event: Event, n: int) -> Outcome:
        """Fold an event into its user by the specification."""
        self._check_name(state.features.user_id, event)
        item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
        item = None if item_id is None else self._catalogue.item(item_id, self._versions[partition])
        return fold_user(state, event, item, n, self._base.schema)

    def _touch(self, user_id: int) -> None:
        """Have a user among the expected ones."""
        self._user(user_id)

    def _check_name(self, known: OuterId, event: Event) -> None:
        """Raise Broken where two ids outside stand for one number."""
        if isinstance(known, str) and event.user and known != event.user:
            raise Broken(f"two users have the number {event.user_id}: {known!r} and {event.user!r}")

    def _feed_list(self, partition: int, broker_ts: int, key: str, value: bytes) -> str:
        try:
            head = self._base.admission.admit_list(value, key, partition, broker_ts, self._clock.at(broker_ts))
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
        state = self._users.get(user_id)
        if state is None:
            stored = self._base.stored_user(user_id)
            state = UserState(UserFeatures(user_id)) if stored is None else thaw_user(stored)
            self._users[user_id] = state
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


def _count(ledgers: dict[int, Counter[str]], partition: int, verdict: str) -> None:
    ledger = ledgers.setdefault(partition, Counter())
    ledger["read"] += 1
    ledger[verdict] += 1


class KernelRecomputer(Recomputer):
    """Folds by the kernel: plain events by the batch, undos and profiles as they come; what is left, by the specification. A
    partition has users of its own, so those of the partitions that were read are held as bytes."""

    def __init__(self, base: Base, settings: JobSettings, batch: int = BATCH) -> None:
        """batch: events that the kernel folds together at most."""
        super().__init__(base, settings)
        self._limit = batch
        self._kernel = UserKernel(rules_of(base.schema))
        self._rows: dict[int, UserRows] = {}
        self._read = StoredUsers()
        self._batch: EventBatch[int] = EventBatch(self._kernel, base.schema)
        self._collected = 0
        self._named: dict[int, OuterId] = {}
        self._by_kernel = ItemsByKernel(base)
        self._added: list[Contribution] = []
        """Contributions that came one by one, since the last batch was folded."""

    def finish(self) -> None:
        self._fold_batch()
        self.expected.items, self.expected.pairs = self._by_kernel.features(), self._by_kernel.pairs()
        self._put_away()
        self.expected.users = self._read

    def pass_to(self, topic: str, partition: int, end: int) -> None:
        super().pass_to(topic, partition, end)
        self._fold_batch()
        self._put_away()

    def _put_away(self) -> None:
        while self._rows:  # one after the other: rows and bytes of all users at once would take more memory
            user_id, rows = self._rows.popitem()
            self._read.put(user_id, self._kernel.store(rows))

    def _fold(self, partition: int, event: Event, n: int) -> str | None:
        rows = self._rows_of(event.user_id)
        if self._batch.takes(event):
            self._check_name(self._named.get(event.user_id, rows.outer), event)
            if event.user:  # what the rows are named once they are folded
                self._named[event.user_id] = event.user
            item = self._catalogue.item(event.item_id, self._versions[partition])
            self._batch.add(partition, rows, event, item, n, 0)
            self._collected += 1
            if self._collected >= self._limit:
                self._fold_batch()
            return None
        self._count_folded(self._batch.fold_user(event.user_id))
        verdict, added = self._fold_left_over(partition, rows, event, n)
        if added is not None:
            self._add(added)
        return verdict

    def _fold_left_over(self, partition: int, rows: UserRows, event: Event, n: int) -> Outcome:
        """Fold an event that is not plain, as the job does: by the kernel, where it is an undo or a profile, else by the
        specification."""
        if is_lone(event):
            self._check_name(rows.outer, event)
            version = self._versions[partition]
            return fold_lone(
                self._kernel, rows, event, lambda item_id: self._catalogue.item(item_id, version), n
            ).outcome
        state = self._kernel.thaw(rows)
        outcome = self._fold_plainly(partition, state, event, n)
        self._kernel.freeze(rows, state)
        return outcome

    def _fold_batch(self) -> None:
        self._collected = 0
        self._named.clear()
        self._count_folded(self._batch.fold())
        self._fold_added()

    def _count_folded(self, folded: Folded[int]) -> None:
        """Count what became of a batch's events, and fold what they add."""
        start = 0
        for user in folded.users:
            for verdict in folded.verdicts[start : start + user.events].tolist():
                _count(self.expected.ledgers, user.owner, VERDICTS[verdict])
            start += user.events
        if self._items:
            self._by_kernel.fold(folded.contributions, folded.names)

    def _add(self, added: Contribution) -> None:
        self._added.append(added)
        if len(self._added) >= AT_ONCE:
            self._fold_added()

    def _fold_added(self) -> None:
        added, self._added = self._added, []
        if self._items:
            self._by_kernel.fold(rows_of(added), {each.item_id: each.item for each in added if each.item})

    def _touch(self, user_id: int) -> None:
        if user_id not in self._read:
            self._rows_of(user_id)

    def _rows_of(self, user_id: int) -> UserRows:
        rows = self._rows.get(user_id)
        if rows is None:
            stored = self._read.stored(user_id) or self._base.stored_user(user_id)
            rows = self._kernel.new_user(user_id) if stored is None else self._kernel.load(decode_stored_user(stored))
            self._rows[user_id] = rows
        return rows


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

    def __init__(self, address: KafkaAddress) -> None:
        self._log = KafkaLog(address)

    def read(self, recomputer: Recomputer) -> Ends:
        ends = self.ends()
        # Items come first, up to an end that is fetched last: all that a mark in the log may name has been read. Of a topic that
        # has lost its beginning the rest counts, as in the job.
        items = self._log.spans(ITEMS, 1)[0]
        recomputer.pass_to(ITEMS, 0, min(items.start, items.end))
        for (topic, partition), end in {(ITEMS, 0): items.end, **ends}.items():
            for record in self._log.read(Span(topic, partition, recomputer.next_offset(topic, partition), end)):
                recomputer.feed(topic, partition, record.offset, record.broker_ts, record.key, record.value)
            recomputer.pass_to(topic, partition, end)
        return ends

    def ends(self) -> Ends:
        spans = [*self._log.spans(EVENTS), *self._log.spans(SERVED)]
        return {(span.topic, span.partition): span.end for span in spans}
