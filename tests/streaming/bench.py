"""A job without Flink, fed with records of one user."""

import json
from dataclasses import dataclass, field
from typing import Any

from features.contracts.events import write_event
from features.keys import DEFAULT_PARTITIONS, N, item_key, partition_of, user_key
from features.store.job_status import Lane, lane_key, read_lane
from features.types import UNDO, Event
from features.units import MINUTE_MS
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC, Record
from streaming.operators.served_lists import ENDS_EVERY
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.offline.small_log import START, WALL
from tests.schemas import MOVIES
from tests.streaming.deltas import LANES

USER = 123
LANE = partition_of(USER, DEFAULT_PARTITIONS)
OTHER = next(item for item in range(6, 100) if LANES.of_item(item) == LANES.of_item(5))
"""Another item in the lane of item 5."""
CLOSING = -(-(WALL + 30 * MINUTE_MS) // MINUTE_MS) * MINUTE_MS
"""When what came at WALL is closed: half an hour on, with the minute."""


@dataclass
class Bench:
    """A job, and records for one user: each gets the next place in its topic."""

    job: JobRun
    time: ManualTime
    server: UnsteadyRedis
    client: Any
    offsets: dict[int, int] = field(default_factory=lambda: {EVENTS_TOPIC: 0, SERVED_TOPIC: 0})

    def record(self, topic: int, value: bytes, broker_ts: int = WALL, key: str | None = str(USER)) -> Record:
        self.offsets[topic] += 1
        return Record(topic, LANE, self.offsets[topic] - 1, broker_ts, key, value)

    def event(self, name: str, kind: int, ts: int = START, broker_ts: int = WALL, item: int = 5, **more: Any) -> Record:
        item, target = (-1 if kind >= UNDO else item), more.pop("target", "")
        return self.record(
            EVENTS_TOPIC, write_event(Event(name, kind, USER, item, 0, target, ts, **more), MOVIES), broker_ts
        )

    def shown(self, name: str, ts: int = START, broker_ts: int = WALL, item: int = 5) -> Record:
        value = {"request_id": name, "user_id": USER, "ts": ts, "items": [{"item_id": item}]}
        return self.record(SERVED_TOPIC, json.dumps(value).encode(), broker_ts)

    def feed(self, *records: Record) -> None:
        self.job.feed(records)

    def feed_later(self, *records: Record) -> None:
        """Feed records at their broker's time, and let pass the time after which nothing from before is on its way."""
        self.job.advance((max(record.broker_ts for record in records) - self.time.wall_ms()) / 1000)
        self.feed(*records)
        self.job.advance(ENDS_EVERY + 1)

    def samples(self) -> list[dict[str, Any]]:
        """The samples of lists, without the wishes to be forgotten."""
        return [sample for sample in self.all_samples() if "request_id" in sample]

    def all_samples(self) -> list[dict[str, Any]]:
        return [json.loads(row["v"]) for row in self.job.outputs["samples"]]

    def offset(self) -> bytes | None:
        found: bytes | None = self.client.hget(user_key(USER), N)
        return found

    def contributions(self, item: int = 5) -> int:
        """How many contributions Redis has of an item."""
        return int(self.client.hget(item_key(item), N) or 0)

    def lane(self) -> Lane:
        found = read_lane(LANE, self.client.hgetall(lane_key(LANE)))
        assert found is not None
        return found
