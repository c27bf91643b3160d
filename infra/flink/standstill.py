"""Notices a job that was restored to read nothing.

Kafka's partitions are assigned to the job's readers after a start. A checkpoint that was taken before they had arrived has them
as assigned and holds no reader of them: restored from it, all tasks run, and nothing is read. The source of such a job has taken
no record, and records wait all the while.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import redis

from features.base.reader import Base
from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.errors import Unavailable
from features.keys import EVENTS, SERVED
from features.store.job_status import lane_keys, read_lanes
from infra.flink.client import Json, all_run
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC
from streaming.log_ends import LogEnds
from streaming.settings import JobSettings

TIMEOUT: Final = 1.0
POLL_EVERY: Final = 5.0
PATIENCE: Final = 30.0
"""Seconds for which records must have waited for a job that takes none."""


class Pending(Protocol):
    """How many records wait for the job."""

    def count(self) -> int:
        """Returns the number of pending records. Raises Unavailable."""
        ...

    def close(self) -> None: ...


class Standstill:
    """Watches one job. `now` returns monotonic time, s."""

    def __init__(self, pending: Pending, now: Callable[[], float] = time.monotonic) -> None:
        self._pending = pending
        self._now = now
        self._next_poll_at = 0.0
        self._since: float | None = None

    def poll(self, read_job: Callable[[], Json | None]) -> bool:
        """Whether the job reads nothing though records wait; False, too, while it is too soon to tell. `read_job` returns the
        job's details, None if there is none. To be called repeatedly. Raises what `read_job` raises."""
        now = self._now()
        if now < self._next_poll_at:
            return False
        self._next_poll_at = now + POLL_EVERY
        job = read_job()
        try:
            stands = job is not None and _is_unread(job) and self._pending.count() > 0
        except Unavailable:  # nobody knows what waits
            stands = False
        self._since = (now if self._since is None else self._since) if stands else None
        return self._since is not None and now - self._since >= PATIENCE

    def begin(self) -> None:
        """Begin anew, with a job that was just started."""
        self._since = None

    def close(self) -> None:
        """Close the connections."""
        self._pending.close()


def _is_unread(job: Json) -> bool:
    """Whether all tasks run, and a source has taken no record since they were started."""
    sources = [vertex for vertex in job["vertices"] if vertex["name"].startswith("Source: ")]
    return all_run(job) and any(not source["metrics"]["write-records"] for source in sources)


class PendingRecords:
    """Reads the number of records that the log holds and the job, by its numbers in Redis, has not folded."""

    def __init__(self, address: RedisAddress, log: LogEnds, settings: Callable[[], JobSettings]) -> None:
        self._nodes = RedisNodes(address, TIMEOUT)
        self._log = log
        self._settings = settings

    def close(self) -> None:
        """Close the connections to Redis and to Kafka."""
        self._nodes.close()
        self._log.close()

    def count(self) -> int:
        """Returns the number of pending records of both topics. Raises Unavailable."""
        settings = self._settings()
        partitions = settings.kafka.partitions
        ends = self._log.read(range(partitions))
        try:
            pipe = self._nodes.pipeline()
            for key in lane_keys(partitions):
                pipe.add("hgetall", key)
            lanes = read_lanes(pipe.execute(), settings.generation)
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error
        offsets = Base(Path(settings.base)).offsets
        pending = 0
        for number in range(partitions):
            lane = lanes.get(number)
            done = {} if lane is None else {EVENTS: lane.next_offset, SERVED: lane.served_next}
            for topic, topic_number in ((EVENTS, EVENTS_TOPIC), (SERVED, SERVED_TOPIC)):
                begin = max(done.get(topic, 0), offsets[topic].get(number, 0))
                pending += max(0, ends[topic_number, number] - begin)
        return pending
