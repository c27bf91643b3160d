"""A small log with everything that a log may hold."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from features.base.reader import Offsets
from features.contracts.catalogue_mark import write_mark
from features.contracts.events import write_event
from features.contracts.items import write_item
from features.ids import OuterId
from features.keys import DEFAULT_PARTITIONS, EVENTS, ITEMS, SERVED, partition_of
from features.schema.tables import Schema
from features.types import CLICK, FORGET_USER, IMPRESSION, LIKE, NO_ID, PROFILE, RATING, UNDO, VIEW, Event
from features.units import DAY_MS
from offline.base.kafka_log import Record, Span
from offline.datasets.dataset import event_id
from tests.schemas import MOVIES, film

WALL = 1_700_000_000_000
START = 1_000_000_000_000
HORIZON = START + 100 * DAY_MS
"""The home's clock at WALL: later than all of the log."""
BUSY = 4
"""A user with more events than are remembered, and more lists."""
_USERS: list[OuterId] = [1, 2, 3, BUSY, 5, 31, 32, 2**62 + 5, "anna", "Zoë 商"]
_ITEMS: list[OuterId] = [1, 2, 3, 4, 5, 6, 70, 2**61, "SKU-1"]
PROFILES: list[dict[str, object]] = [
    {},
    {"plan": "paid"},
    {"plan": "free", "interests": ["tea", "rain"], "born": 1980.5, "joined": START, "insider": True, "about": "Ü\n"},
    {"interests": [f"interest {number}" for number in range(64)]},
]
"""Attributes of users as `tests.schemas.PEOPLE` has them."""


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
    records: dict[tuple[str, int], list[Record]] = field(default_factory=dict)
    sent: list[Event] = field(default_factory=list)
    forgotten: set[int] = field(default_factory=set)
    now: int = START
    schema: Schema = MOVIES
    taken: int = 0
    partitions: int = DEFAULT_PARTITIONS

    def __post_init__(self) -> None:
        parts = [(topic, number) for topic in (EVENTS, SERVED) for number in range(self.partitions)]
        self.records = {(ITEMS, 0): []} | {part: [] for part in parts} | self.records

    def put(self, topic: str, partition: int, key: bytes | None, value: bytes) -> None:
        """Append a record; the broker takes one each millisecond."""
        records = self.records[topic, partition]
        self.taken += 1
        records.append(Record(len(records), WALL + self.taken, key, value))

    def event(self, event: Event) -> None:
        self.sent.append(event)
        user = event.outer_user
        self.put(EVENTS, partition_of(user, self.partitions), str(user).encode(), write_event(event, self.schema))

    def _of(self, user: OuterId, item: OuterId, event: Event) -> Event:
        """The event with these ids, as they are outside."""
        ids = self.schema.ids
        user_id, item_id = ids.inside(user), ids.inside(item)
        names = (str(user) if user_id < 0 else "", str(item) if item_id < 0 else "")
        return event._replace(user_id=user_id, item_id=item_id, user=names[0], item=names[1])

    def _kinds(self) -> list[int]:
        if self.schema is MOVIES:
            return [CLICK, VIEW, RATING, RATING, RATING, LIKE, LIKE, IMPRESSION]
        return [kind.code for kind in self.schema.kinds if kind is not None and kind.code not in (UNDO, FORGET_USER)]

    def profile(self, user: OuterId, name: str, ts: int) -> None:
        """A user's attributes; now and then some that the schema does not have."""
        chance = self.chance
        if chance.random() < 0.2:
            value = {"event_id": name, "type": "profile", "user_id": user, "ts": ts, "attributes": {"plan": 3}}
            self.put(EVENTS, partition_of(user, self.partitions), str(user).encode(), json.dumps(value).encode())
            return
        attributes = self.schema.users.canonical(chance.choice(PROFILES), "attributes")
        self.event(self._of(user, 0, Event(name, PROFILE, 0, 0, 0, attributes, ts))._replace(item_id=NO_ID))

    def show(self, user: OuterId, name: str, ts: int, items: Sequence[OuterId]) -> None:
        shown = [{"item_id": self.schema.ids.inside(item)} for item in items]
        value = {"request_id": name, "user_id": user, "ts": ts, "items": shown}
        self.put(SERVED, partition_of(user, self.partitions), str(user).encode(), json.dumps(value).encode())

    @property
    def items(self) -> list[tuple[int, bytes]]:
        """The records of the topic `items`: when the broker took it, and the value."""
        return [(record.broker_ts, record.value) for record in self.records[ITEMS, 0]]

    def change_item(self, item: OuterId) -> None:
        """Give an item other attributes, which some partitions are told now, others later or never."""
        chance = self.chance
        genres = tuple(chance.sample(["Drama", "Comedy", "War", "Sci-Fi", "New"], chance.randrange(4)))
        number, outer = self.schema.ids.inside(item), item if isinstance(item, str) else ""
        changed = film(number, f"Item {item}", genres, chance.choice([0, 1984, 2001]), outer=outer)
        value = write_item(changed, MOVIES.items)
        self.put(ITEMS, 0, None, chance.choice([value, value, value, b"{"]))
        for partition in range(self.partitions):
            if chance.random() < 0.6:
                version = len(self.items) - chance.choice([0, 0, 0, 1, -1, -2])  # some are of items to come
                self.put(EVENTS, partition, None, write_mark(version))
        if chance.random() < 0.1:
            self.put(EVENTS, chance.randrange(self.partitions), None, write_mark(10**9))

    def ends(self) -> Offsets:
        ends: Offsets = {EVENTS: {}, SERVED: {}}
        for (topic, partition), records in self.records.items():
            if topic != ITEMS:
                ends[topic][partition] = len(records)
        return ends

    def go_on(self, steps: int, history: list[tuple[int, int, float, int]]) -> None:
        """Some more of everything. `history` are rows of the data set below, some of which are taken back."""
        chance = self.chance
        for _ in range(steps):
            self.now += chance.choice([1_000, 60_000, 40 * 60_000])
            user = chance.choice(_USERS)
            ts = self.now - chance.choice([0, 0, 0, 5_000, 3 * DAY_MS])
            act = chance.random()
            kind = chance.choice(self._kinds())
            item = chance.choice([*_ITEMS, 2**62, chance.randrange(2**40), "a/b"])
            values = [50, 250, 300, 400, 500] if kind == RATING else [0, 50, 1_000, 6_000, 70_000]
            centi = chance.choice(values) if self.schema.kind(kind).value else 0
            name = f"{user}-{len(self.sent)}"
            if self.schema.users and chance.random() < 0.1:
                self.profile(user, f"profile of {name}", ts)
            if act < 0.70:
                self.event(self._of(user, item, Event(name, kind, 0, 0, centi, "", ts)))
            elif act < 0.78 and self.sent:
                again = chance.choice(self.sent)
                if again.user_id not in self.forgotten:
                    self.event(again)
            elif act < 0.86 and self.sent:
                target = chance.choice(self.sent[-200:])
                self.event(Event(name, UNDO, target.user_id, NO_ID, 0, target.event_id, ts, user=target.user))
            elif act < 0.88 and history:
                row_user, row_item, _, seconds = chance.choice(history)
                row = event_id("mine", row_user, row_item, seconds * 1000)
                self.event(Event(name, UNDO, row_user, NO_ID, 0, row, ts))
            elif act < 0.895:
                self.change_item(chance.choice(_ITEMS))
            elif act < 0.91:
                partition = chance.randrange(self.partitions)
                good = write_event(self._of(user, item, Event(name, LIKE, 0, 0, 0, "", ts)), self.schema)
                late = self._of(user, item, Event(name, LIKE, 0, 0, 0, "", WALL + 100_000))
                future = write_event(late, self.schema)
                key, value = chance.choice(
                    [(b"x", good), (None, good), (str(user).encode(), b"\xff{"), (b"7", b""), (b"\xff", future)]
                )
                self.put(EVENTS, partition, key, value)
            elif act < 0.92:
                self.put(SERVED, chance.randrange(self.partitions), str(user).encode(), chance.choice([b"{", b"{}"]))
                self.put(
                    SERVED,
                    (partition_of(user, self.partitions) + 1) % self.partitions,
                    str(user).encode(),
                    b'{"request_id":"x"}',
                )
            else:
                shown = chance.sample(_ITEMS, chance.randrange(8))
                self.show(user, f"r{chance.randrange(400)}", ts, shown)

    def answer_lists(self, lists: int) -> None:
        """Lists shown and answered, twice each on the average; a third of the answers are taken back, some users forgotten."""
        chance = self.chance
        for number in range(lists):
            self.now += 1_000
            user, name = chance.choice([1, 2, 3, 5, 31, 32]), f"a{number}"
            if chance.random() < 0.9:
                self.show(user, name, self.now, chance.sample(range(1, 30), 5))
            for _ in range(chance.randrange(5)):
                kind, answer = chance.choice([CLICK, LIKE]), f"{user}-{len(self.sent)}"
                self.event(Event(answer, kind, user, chance.randrange(1, 30), 0, "", self.now, name, 0))
                if chance.random() < 0.33:
                    self.event(Event(f"{answer}-undo", UNDO, user, -1, 0, answer, self.now + 1))
            if chance.random() < 0.02:
                self.event(Event(f"forget-{number}", FORGET_USER, user, -1, 0, "", self.now))
                self.forgotten.add(user)

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
