"""`verify`: recompute every feature from base and log with the pure fold, and compare with Redis byte for byte."""

import time
from collections import Counter
from dataclasses import dataclass, field

import redis
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from features.admission import Misplaced, admit, user_of_key
from features.base import Base
from features.errors import BadEvent, Unavailable
from features.fold import UserState, fold_item, fold_user, thaw_user, undone_item
from features.names import EVENTS, GENERATION, PARTITIONS, VALUE, N, item_key, seen_key, user_key
from features.state import ItemFeatures, UserFeatures, encode_features
from features.words import UNDO, Contribution
from streaming.settings import JobSettings

READ_WITHIN = 600.0
BATCH = 500


@dataclass
class Expected:
    """What base and log say: every user that the log or the base knows, every item, and what became of the records."""

    users: dict[int, UserState] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    items: dict[int, ItemFeatures] = field(default_factory=dict)
    ledger: Counter[str] = field(default_factory=Counter)


class Recomputer:
    """Folds the log, record by record, as the job does."""

    def __init__(self, base: Base, settings: JobSettings) -> None:
        self._base = base
        self._settings = settings
        self.expected = Expected()

    def feed(self, partition: int, offset: int, broker_ts: int, key: bytes | None, value: bytes) -> None:
        expected = self.expected
        expected.ledger["read"] += 1
        text = "" if key is None else key.decode("latin-1")
        try:
            event = admit(value, text, partition, broker_ts, self._settings.clock_at(broker_ts))
        except BadEvent:
            expected.ledger["rejected"] += 1
            user_id = user_of_key(text, partition)
            if user_id is not None:
                self._user(user_id)
                expected.places[user_id] = offset + 1
            return
        except Misplaced:
            expected.ledger["rerouted"] += 1
            return
        state = self._user(event.user_id)
        item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
        item = None if item_id is None else self._base.catalogue.get(item_id)
        verdict, added = fold_user(state, event, item, offset + 1)
        state.memory.changes.clear()
        state.seen.changes.clear()
        expected.ledger[verdict] += 1
        expected.places[event.user_id] = offset + 1
        if added is not None:
            self._fold_item(added)

    def _user(self, user_id: int) -> UserState:
        state = self.expected.users.get(user_id)
        if state is None:
            stored = self._base.stored_user(user_id)
            state = UserState(UserFeatures(user_id)) if stored is None else thaw_user(stored)
            self.expected.users[user_id] = state
        return state

    def _fold_item(self, added: Contribution) -> None:
        item = self.expected.items.get(added.item_id)
        if item is None:
            item = self._base.item_features(added.item_id) or ItemFeatures(added.item_id)
        self.expected.items[added.item_id] = fold_item(item, added)


def read_log(bootstrap: str, recomputer: Recomputer) -> dict[int, int]:
    """Feed the whole log, up to where it ended when asked; returns those ends. Raises Unavailable."""
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, enable_auto_commit=False, max_poll_records=5000, fetch_max_bytes=32 << 20,
            max_partition_fetch_bytes=8 << 20,
        )  # fmt: skip
        try:
            parts = [TopicPartition(EVENTS, number) for number in range(PARTITIONS)]
            consumer.assign(parts)
            ends = consumer.end_offsets(parts)
            consumer.seek_to_beginning(*parts)
            left = {part for part in parts if consumer.position(part) < ends[part]}
            deadline = time.monotonic() + READ_WITHIN
            while left:
                if time.monotonic() > deadline:
                    raise Unavailable(f"the log could not be read within {READ_WITHIN:.0f} s")
                for part, records in consumer.poll(timeout_ms=500).items():
                    for record in records:
                        if record.offset < ends[part]:
                            recomputer.feed(
                                part.partition, record.offset, record.timestamp, record.key, record.value or b""
                            )
                left = {part for part in left if consumer.position(part) < ends[part]}
            return {part.partition: end for part, end in ends.items()}
        finally:
            consumer.close()
    except KafkaError as error:
        raise Unavailable(f"the log could not be read: {error}") from error


def first_difference(expected: Expected, base: Base, port: int, generation: int) -> str | None:
    """Compare with Redis, key by key, base included; None if all is equal."""
    client = redis.Redis(port=port, socket_timeout=30)
    try:
        users = sorted(set(expected.users) | {user_id for user_id, _ in base.users()})
        for start in range(0, len(users), BATCH):
            chunk = users[start : start + BATCH]
            pipe = client.pipeline(transaction=False)
            for user_id in chunk:
                pipe.hmget(user_key(user_id), GENERATION, N, VALUE)
                pipe.smembers(seen_key(user_id))
            answers = pipe.execute()
            for at, user_id in enumerate(chunk):
                state = expected.users.get(user_id)
                stored = base.stored_user(user_id)
                state = state or thaw_user(stored or b"")
                (g, n, value), seen = answers[2 * at], answers[2 * at + 1]
                wanted = (
                    str(generation).encode(),
                    str(expected.places.get(user_id, 0)).encode(),
                    encode_features(state.features),
                )
                if (g, n, value) != wanted:
                    return f"{user_key(user_id)}: expected g, n, v = {wanted}, got {(g, n, value)}"
                if {int(item) for item in seen} != {item for item, _ in state.seen.items()}:
                    return f"{seen_key(user_id)}: expected {len(state.seen)} items, got {len(seen)}, or other ones"
        items = dict(base.all_item_features()) | {
            each: encode_features(value) for each, value in expected.items.items()
        }
        ids = sorted(items)
        for start in range(0, len(ids), BATCH):
            chunk = ids[start : start + BATCH]
            pipe = client.pipeline(transaction=False)
            for item_id in chunk:
                pipe.hget(item_key(item_id), VALUE)
            for item_id, value in zip(chunk, pipe.execute(), strict=True):
                if value != items[item_id]:
                    return f"{item_key(item_id)}: expected {items[item_id]!r}, got {value!r}"
        return None
    except redis.RedisError as error:
        raise Unavailable(f"Redis could not be read: {error}") from error
    finally:
        client.close()


@dataclass(frozen=True)
class Finding:
    """`difference`: the first one, or None. `moving`: the log grew while we compared, so a difference may be none."""

    difference: str | None
    moving: bool
    expected: Expected


def verify(base: Base, settings: JobSettings, wait: float) -> Finding:
    """Recompute and compare; tries again until `wait` seconds have gone while there is a difference."""
    deadline = time.monotonic() + wait
    while True:
        recomputer = Recomputer(base, settings)
        ends = read_log(settings.bootstrap, recomputer)
        difference = first_difference(recomputer.expected, base, settings.redis_port, settings.generation)
        if difference is None:
            return Finding(None, False, recomputer.expected)
        if time.monotonic() >= deadline:
            moving = read_log_ends(settings.bootstrap) != ends
            return Finding(difference, moving, recomputer.expected)
        time.sleep(0.3)


def read_log_ends(bootstrap: str) -> dict[int, int]:
    """Where each partition of the log ends now."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        parts = [TopicPartition(EVENTS, number) for number in range(PARTITIONS)]
        return {part.partition: end for part, end in consumer.end_offsets(parts).items()}
    finally:
        consumer.close()
