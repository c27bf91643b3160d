"""A small log with everything that a log may hold, and what the pure fold makes of it, record by record."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from features.admission import Misplaced, admit, admit_list
from features.base import Base, Offsets
from features.clock import Clock
from features.errors import BadEvent
from features.events import write_event
from features.fold import UserState, fold_user, freeze_user, thaw_user, undone_item
from features.impressions import fold_list, list_memory
from features.item_fold import fold_item
from features.memory import DedupeMemory
from features.names import EVENTS, PARTITIONS, SERVED, partition_of
from features.pairs import Pairs, slots_of
from features.state import ItemFeatures, UserFeatures, decode_stored_user, encode_features, encode_stored_user
from features.units import DAY_MS
from features.verdicts import REJECTED, REROUTED
from features.words import CLICK, FORGET_USER, IMPRESSION, LIKE, RATING, UNDO, VIEW, Contribution, Event
from offline.datasets import event_id
from offline.log import Record, Span

WALL = 1_700_000_000_000
START = 1_000_000_000_000
BUSY = 4
"""A user with more events than are remembered, and more lists."""


@dataclass(frozen=True)
class FileLog:
    """A log in files, one a partition: a msgpack array of records each."""

    folder: Path

    def read(self, span: Span) -> Iterator[Record]:
        records = msgspec.msgpack.decode(self._file(span.topic, span.partition).read_bytes(), type=list[Record])
        return iter(records[span.start : span.end])

    def write(self, records: dict[tuple[str, int], list[Record]]) -> None:
        for (topic, partition), each in records.items():
            self._file(topic, partition).write_bytes(msgspec.msgpack.encode(each))

    def _file(self, topic: str, partition: int) -> Path:
        return self.folder / f"{topic}-{partition}"


@dataclass
class SmallLog:
    """Records by topic and partition, as a producer writes them."""

    chance: random.Random = field(default_factory=lambda: random.Random(11))
    records: dict[tuple[str, int], list[Record]] = field(
        default_factory=lambda: {(topic, number): [] for topic in (EVENTS, SERVED) for number in range(PARTITIONS)}
    )
    sent: list[Event] = field(default_factory=list)
    forgotten: set[int] = field(default_factory=set)
    now: int = START

    def put(self, topic: str, partition: int, key: bytes | None, value: bytes) -> None:
        records = self.records[topic, partition]
        records.append(Record(len(records), WALL, key, value))

    def event(self, event: Event) -> None:
        self.sent.append(event)
        self.put(EVENTS, partition_of(event.user_id), str(event.user_id).encode(), write_event(event))

    def show(self, user: int, name: str, ts: int, items: list[int]) -> None:
        value = {"request_id": name, "user_id": user, "ts": ts, "items": [{"item_id": item} for item in items]}
        self.put(SERVED, partition_of(user), str(user).encode(), json.dumps(value).encode())

    def ends(self) -> Offsets:
        ends: Offsets = {EVENTS: {}, SERVED: {}}
        for (topic, partition), records in self.records.items():
            ends[topic][partition] = len(records)
        return ends

    def go_on(self, steps: int, history: list[tuple[int, int, float, int]]) -> None:
        """Some more of everything. `history` are rows of the data set below, some of which are taken back."""
        chance = self.chance
        for _ in range(steps):
            self.now += chance.choice([1_000, 60_000, 40 * 60_000])
            user = chance.choice([1, 2, 3, BUSY, 5, 31, 32, 2**62 + 5])
            ts = self.now - chance.choice([0, 0, 0, 5_000, 3 * DAY_MS])
            act = chance.random()
            kind = chance.choice([CLICK, VIEW, RATING, RATING, RATING, LIKE, LIKE, IMPRESSION])
            item = chance.choice([1, 2, 3, 4, 5, 6, 70, 2**62, chance.randrange(2**40)])
            centi = chance.choice([50, 250, 300, 400, 500]) if kind == RATING else 0
            name = f"{user}-{len(self.sent)}"
            if act < 0.70:
                self.event(Event(name, kind, user, item, centi, "", ts))
            elif act < 0.78 and self.sent:
                again = chance.choice(self.sent)
                if again.user_id not in self.forgotten:
                    self.event(again)
            elif act < 0.86 and self.sent:
                target = chance.choice(self.sent[-200:])
                self.event(Event(name, UNDO, target.user_id, -1, 0, target.event_id, ts))
            elif act < 0.88 and history:
                user, item, _, seconds = chance.choice(history)
                self.event(Event(name, UNDO, user, -1, 0, event_id("mine", user, item, seconds * 1000), ts))
            elif act < 0.90:
                partition = chance.randrange(PARTITIONS)
                good = write_event(Event(name, LIKE, user, item, 0, "", ts))
                future = write_event(Event(name, LIKE, user, item, 0, "", WALL + 100_000))
                key, value = chance.choice(
                    [(b"x", good), (None, good), (str(user).encode(), b"\xff{"), (b"7", b""), (b"\xff", future)]
                )
                self.put(EVENTS, partition, key, value)
            elif act < 0.91:
                self.put(SERVED, chance.randrange(PARTITIONS), str(user).encode(), chance.choice([b"{", b"{}"]))
                self.put(SERVED, (partition_of(user) + 1) % PARTITIONS, str(user).encode(), b'{"request_id":"x"}')
            else:
                shown = chance.sample([1, 2, 3, 4, 5, 6, 70, 2**61], chance.randrange(8))
                self.show(user, f"r{chance.randrange(400)}", ts, shown)

    def go_beyond_memory(self) -> None:
        """The busy user: more events and lists than are remembered, then some too old; and one that is forgotten."""
        for number in range(5_200):
            self.event(Event(f"b{number}", CLICK, BUSY, number % 7, 0, "", self.now + number))
        for number in range(300):
            self.show(BUSY, f"b{number}", self.now + number, [1, 2])
        self.now += 6_000
        self.event(Event("old", LIKE, BUSY, 1, 0, "", START))
        self.show(BUSY, "old", START, [3])
        self.event(Event("forget", FORGET_USER, 3, -1, 0, "", self.now))
        for event in [each for each in self.sent if each.user_id == 3][-20:]:
            self.event(event)
        self.forgotten.add(3)


class Reference:
    """The pure fold over base and log in this process."""

    def __init__(self, base: Base, clock: Clock) -> None:
        self._base, self._clock = base, clock
        self._users = {user_id: thaw_user(base.stored_user(user_id) or b"") for user_id in base.user_ids}
        self._lists: dict[int, DedupeMemory] = {user_id: list_memory(stored.lists) for user_id, stored in base.users()}
        self._items = {item_id: base.item_features(item_id) or ItemFeatures(item_id) for item_id in base.item_ids}
        self._pairs = dict(base.all_pairs())
        self.ledger = {EVENTS: Counter[str](), SERVED: Counter[str]()}

    def feed(self, records: dict[tuple[str, int], list[Record]], start: Offsets, end: Offsets) -> None:
        for (topic, partition), each in records.items():
            for record in each[start[topic][partition] : end[topic][partition]]:
                fate = (self._event if topic == EVENTS else self._list)(partition, record)
                self.ledger[topic].update((fate, "read"))

    def _event(self, partition: int, record: Record) -> str:
        key = (record.key or b"").decode("latin-1")
        try:
            event = admit(record.value, key, partition, record.broker_ts, self._clock.at(record.broker_ts))
        except BadEvent:
            return REJECTED
        except Misplaced:
            return REROUTED
        state = self._users.setdefault(event.user_id, UserState(UserFeatures(event.user_id)))
        item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
        item = None if item_id is None else self._base.catalogue.get(item_id)
        verdict, contribution = fold_user(state, event, item, record.offset + 1)
        if contribution is not None:
            self._add(contribution)
        return verdict

    def _list(self, partition: int, record: Record) -> str:
        key = (record.key or b"").decode("latin-1")
        try:
            head = admit_list(record.value, key, partition, record.broker_ts, self._clock.at(record.broker_ts))
        except BadEvent:
            return REJECTED
        verdict, contributions = fold_list(self._lists.setdefault(head.user_id, list_memory([])), head)
        for contribution in contributions:
            self._add(contribution)
        return verdict

    def _add(self, contribution: Contribution) -> None:
        item_id = contribution.item_id
        fold_item(self._items.setdefault(item_id, ItemFeatures(item_id)), contribution)
        for item_id, *slot in slots_of(contribution):
            self._pairs.setdefault(item_id, Pairs(item_id)).fold(*slot)

    def users(self) -> dict[int, bytes]:
        out = {}
        for user_id in self._users.keys() | self._lists.keys():
            state = self._users.get(user_id) or UserState(UserFeatures(user_id))
            stored = decode_stored_user(freeze_user(state))
            lists = self._lists.get(user_id, list_memory([]))
            stored.lists = [(key, entry.ts) for key, entry in lists.items()]
            out[user_id] = encode_stored_user(stored)
        return out

    def items(self) -> dict[int, bytes]:
        return {item_id: encode_features(features) for item_id, features in self._items.items()}

    def pairs(self) -> dict[int, bytes]:
        return {item_id: pairs.encode() for item_id, pairs in self._pairs.items()}
