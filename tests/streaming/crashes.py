"""A log fed to the job's two operators, with whatever may go wrong in between, and what must be in Redis afterwards."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.base.reader import Base
from features.clock import Clock
from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.fold.co_visits import encode_neighbours
from features.fold.state import decode_item, encode_features
from features.fold.user import thaw_user
from features.kernel.users.event_batch import EventBatch
from features.kernel.users.plain_reader import PlainEvent, PlainReader
from features.keys import (
    CLOCK_KEY,
    DEFAULT_PARTITIONS,
    EVENTS,
    GENERATION,
    ITEMS,
    ITEMS_STREAM,
    LOADED_KEY,
    VALUE,
    N,
    hidden_key,
    item_key,
    pairs_key,
    seen_key,
    user_key,
)
from features.store.job_status import SERVED_VERDICTS, VERDICTS, lane_key, read_lane
from features.store.repeat_requests import REPEAT_KEY
from features.types import FOREVER, Event, Millis
from infra.verify.recompute import Expected, Recomputer
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC, Record
from streaming.operators.stored_state import STATE_VERSION
from streaming.operators.user_cache import LiveUser
from streaming.settings import JobSettings
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime
from streaming.testing.memory_items import MemoryItems
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.offline.small_log import HORIZON, WALL, SmallLog
from tests.streaming.lossy_redis import LossyRedis

Contents = dict[str, object]
"""Redis by key: (generation, n, value) of features, the set of a seen set, counts of a lane."""


def settings_of(base: Path, redis_port: int, generation: int = 1, partitions: int = DEFAULT_PARTITIONS) -> JobSettings:
    """A job over a base and a Redis; its clock is the small log's."""
    return JobSettings(
        KafkaAddress("", partitions=partitions),
        RedisAddress("127.0.0.1", redis_port),
        str(base),
        generation,
        HORIZON,
        WALL - 1000,
        state_version=STATE_VERSION,
    )


def by_partition(log: SmallLog) -> dict[int, list[Record]]:
    """The records of each partition number: events and lists side by side, as Flink may read them."""
    found: dict[int, list[Record]] = {}
    for (topic, number), records in log.records.items():
        if topic == ITEMS:
            continue
        topic_number = EVENTS_TOPIC if topic == EVENTS else SERVED_TOPIC
        found.setdefault(number, []).extend(
            Record(topic_number, number, each.offset, each.broker_ts, _text(each.key), each.value) for each in records
        )
    return {number: sorted(each, key=lambda record: (record.offset, record.topic)) for number, each in found.items()}


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode("latin-1")


def expected_of(log: SmallLog, base: Base, settings: JobSettings) -> Expected:
    """What the pure fold makes of a log."""
    recomputer = Recomputer(base, settings)
    for (topic, number), records in log.records.items():
        for each in records:
            recomputer.feed(topic, number, each.offset, each.broker_ts, each.key, each.value)
    return recomputer.expected


def wanted(expected: Expected, base: Base, generation: int = 1) -> Contents:
    """Redis as it must be: the base, and over it what the log has touched, and nothing else."""
    contents: Contents = {}
    users = {user_id: thaw_user(base.stored_user(user_id) or b"") for user_id in base.user_ids} | dict(expected.users)
    items = {each: decode_item(value) for each, value in base.all_item_features()} | expected.items

    def put(key: str, n: int, value: bytes) -> None:
        contents[key] = str(generation).encode(), str(n).encode(), value

    for user_id, state in users.items():
        offset = expected.next_offsets.get(user_id, base.offset_of(state.features.user_id))
        put(user_key(user_id), offset, encode_features(state.features))
        hidden = {str(item_id).encode(): until for item_id, _, until in state.seen.items()}
        if seen := {item_id for item_id, until in hidden.items() if until == FOREVER}:
            contents[seen_key(user_id)] = seen
        if later := {item_id: float(until) for item_id, until in hidden.items() if until != FOREVER}:
            contents[hidden_key(user_id)] = later
    for item_id, item in items.items():
        put(item_key(item_id), item.n, encode_features(item))
    for item_id, pairs in (dict(base.all_pairs()) | expected.pairs).items():
        put(pairs_key(item_id), pairs.n, encode_neighbours(pairs.neighbours()))
    for number in range(base.partitions):
        events: Mapping[str, int] = expected.ledgers.get(number, {})
        lists: Mapping[str, int] = expected.list_ledgers.get(number, {})
        contents[lane_key(number)] = {
            "n": sum(events.get(name, 0) for name in VERDICTS),
            "s": sum(lists.get(name, 0) for name in SERVED_VERDICTS),
            **{name: events.get(name, 0) for name in VERDICTS},
            **{f"served_{name}": lists.get(name, 0) for name in SERVED_VERDICTS},
        }
    return contents


def found(client: Any) -> Contents:
    """Redis as it is."""
    contents: Contents = {}
    for key in sorted(each.decode() for each in client.scan_iter(count=1000)):
        if key.endswith(":seen"):
            contents[key] = client.smembers(key)
        elif key.endswith(":hidden"):
            contents[key] = dict(client.zrange(key, 0, -1, withscores=True))
        elif key.startswith("job:fresh:") or key in (CLOCK_KEY, LOADED_KEY, ITEMS_STREAM, REPEAT_KEY):
            continue
        elif key.startswith("job:"):
            lane = read_lane(int(key[4:]), client.hgetall(key))
            assert lane is not None
            assert lane.balanced
            counts = {name: lane.count(name) for name in VERDICTS}
            counts |= {f"served_{name}": lane.served_count(name) for name in SERVED_VERDICTS}
            contents[key] = {"n": lane.next_offset, "s": lane.served_next, **counts}
        else:
            contents[key] = tuple(client.hmget(key, GENERATION, N, VALUE))
    return contents


def difference(is_present: Contents, must_be: Contents) -> str | None:
    """The first key, in order, that is not what it must be."""
    for key in sorted(is_present.keys() | must_be.keys()):
        if is_present.get(key) != must_be.get(key):
            return f"{key}: expected {must_be.get(key)}, got {is_present.get(key)}"
    return None


@dataclass
class Story:
    """One run over a log: what happened, in order, to be shown where it ended badly."""

    job: JobRun
    time: ManualTime
    server: UnsteadyRedis
    rng: random.Random
    happened: list[str]
    redis: LossyRedis
    newest: Millis = 0
    """Broker time of the newest record fed."""

    def tell(self, records: dict[int, list[Record]]) -> None:
        """Feed all records, in batches of 1 to 20, while the world does what it likes; at the end all is left in peace."""
        done = dict.fromkeys(records, 0)
        retained = dict(done)
        before_loss = self.job.newest_checkpoint, dict(done)
        for act in self._acts():
            left = [number for number, each in records.items() if done[number] < len(each)]
            if not left:
                break
            self.happened.append(act)
            if act == "checkpoint":
                self.job.checkpoint()
                retained = dict(done)
            elif act == "redis remembered":
                self.redis.remember()
                before_loss = self.job.newest_checkpoint, dict(retained)
            elif act == "redis goes back":
                self.redis.go_back()
                self._feed_some(records, done)
                if not self.redis.is_written_again(self.job):
                    checkpoint, retained = before_loss
                    self.job.go_back(checkpoint, whole_until=self.newest)
                    done = dict(retained)
            elif act == "crash":
                self.job.crash(self.rng.choice([None, None, 1, 2, 4]))
                done = dict(retained)
            elif act == "away":
                self.server.away(self.rng.choice([0.05, 1.0, 5.0]))
            elif act == "answers lost":
                self.server.lose_replies()
            elif act == "a while":
                self.job.advance(self.rng.choice([0.05, 0.3, 2.0]))
            else:
                self._feed_some(records, done)
        self.job.checkpoint()
        self.job.crash()  # what was not sent is in nobody's hands but the checkpoint's
        self.job.touch_all()
        self.job.advance(12.0)

    def _feed_some(self, records: dict[int, list[Record]], done: dict[int, int]) -> None:
        left = [number for number, each in records.items() if done[number] < len(each)]
        if left:
            number, size = self.rng.choice(left), self.rng.choice([1, 1, 3, 20])
            batch = records[number][done[number] : done[number] + size]
            self.job.feed(batch)
            self.newest = max(self.newest, *(record.broker_ts for record in batch))
            done[number] += len(batch)

    def _acts(self) -> Iterator[str]:
        others = ("checkpoint", "crash", "away", "answers lost", "a while", "redis remembered", "redis goes back")
        while True:
            yield self.rng.choices(("feed", *others), (60, 8, 4, 3, 3, 22, 3, 2))[0]


def items_of(log: SmallLog) -> MemoryItems:
    """The topic `items` of a log."""
    topic = MemoryItems()
    topic.records = log.items
    return topic


class SixOfSeven(EventBatch[LiveUser]):
    """Leaves the events of every seventh item to the specification."""

    def takes(self, event: Event) -> bool:
        return event.item_id % 7 > 0 and super().takes(event)

    def reader(self, clock: Clock, partitions: int) -> PlainReader:
        return ReaderOfSix(self._schema, clock, partitions)


class ReaderOfSix(PlainReader):
    def read(self, value: bytes, key: str, partition: int, broker_ts: Millis) -> PlainEvent | None:
        plain = super().read(value, key, partition, broker_ts)
        return None if plain is None or plain.item_id % 7 == 0 else plain


def story(settings: JobSettings, seed: int, log: SmallLog) -> Story:
    """A run over a log that has not begun; of every other seed one that leaves the events of every seventh item to the
    specification. The same seed makes the same one."""
    rng, time_source = random.Random(seed), ManualTime(WALL)
    server = UnsteadyRedis(time_source)
    job = JobRun(
        settings, time_source, server, rng.choice([1, 1, 2]), items_of(log), SixOfSeven if seed % 2 else EventBatch
    )
    return Story(job, time_source, server, rng, [], LossyRedis(settings.redis, time_source))
