"""Collects a snapshot from Kafka, Redis and Flink in bounded time, whatever state they are in."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import redis
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from features.base.reader import Offsets
from features.engines.kafka_address import KafkaAddress
from features.engines.kafka_consumer import open_consumer
from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.engines.shared_engines import Engines
from features.errors import MartletError, Unavailable
from features.keys import CLOCK_KEY, EVENTS, SERVED
from features.store.freshness import FreshnessHistogram
from features.store.job_status import MAX_SUBTASKS, OPERATORS, Lane, fresh_key, lane_keys, read_lanes
from infra.flink.client import JOB_NAME, FlinkClient
from infra.home.record import HomeRecord
from infra.monitoring import flink_status
from infra.monitoring.bounded_query import BoundedQuery
from infra.monitoring.host import Host, HostReader
from infra.monitoring.probed_servers import ProbedServer
from infra.monitoring.snapshot import FLINK, KAFKA, REDIS, Snapshot, Topic
from online.support.home_clock import HomeClock

KAFKA_TIMEOUT, FLINK_TIMEOUT, REDIS_TIMEOUT, RECORDS_TIMEOUT = 2.0, 2.0, 1.0, 1.0
PROBES_TIMEOUT = 3.0
"""Seconds for each. Kafka, Flink and what is only probed are queried in parallel, then Redis, then Kafka for the oldest pending
records: a snapshot takes 4 s at most. All probes together have longer than each of them, so that the silent one is named."""
_KAFKA_MS = int(KAFKA_TIMEOUT * 1000)


def collector_of(
    engines: Engines,
    flink: str,
    record: HomeRecord,
    host: HostReader | None = None,
    probed: Sequence[ProbedServer] = (),
    learning: Callable[[], Mapping[str, Any] | None] = lambda: None,
) -> "Collector":
    """Returns the collector for a running home; `flink` is the URL of Flink's REST interface. Raises Broken if the home has no
    base yet."""
    base = record.base()
    clock = HomeClock(base.clock_start, record.clock_since, base.horizon)
    return Collector(
        engines.kafka,
        engines.redis,
        flink,
        record.generation,
        clock,
        base.offsets,
        record.job_name,
        host,
        probed,
        learning,
    )


class Collector:
    """Takes snapshots, and keeps its connections between them. For one thread at a time."""

    def __init__(
        self,
        kafka: KafkaAddress,
        redis_address: RedisAddress,
        flink: str,
        generation: int,
        clock: HomeClock,
        offsets: Offsets | None = None,
        job_name: str = JOB_NAME,
        host: HostReader | None = None,
        probed: Sequence[ProbedServer] = (),
        learning: Callable[[], Mapping[str, Any] | None] = lambda: None,
    ) -> None:
        """`offsets`: the base's offsets, where the job begins; `host`: without it nothing is said of the machine; `probed`:
        servers that are only to answer; `learning`: what a learner has learned."""
        self._learning = learning
        self._offsets = offsets or {}
        self._host = host
        self._generation = generation
        self._clock = clock
        self._kafka = kafka
        self._consumer: KafkaConsumer | None = None
        self._consumer_free = threading.Lock()
        self._redis = RedisNodes(redis_address, REDIS_TIMEOUT)
        self._kafka_service = BoundedQuery(KAFKA, self._read_kafka, KAFKA_TIMEOUT)
        client = FlinkClient(flink, job_name)
        self._flink_service = BoundedQuery(FLINK, lambda: flink_status.read_job(client, FLINK_TIMEOUT), FLINK_TIMEOUT)
        self._records_service = BoundedQuery("kafka-records", self._read_oldest, RECORDS_TIMEOUT)
        self._oldest: dict[int, int] = {}
        self._redis_service = BoundedQuery(REDIS, self._read_redis, REDIS_TIMEOUT)
        self._probed_servers = [BoundedQuery(each.name, each.answers, PROBES_TIMEOUT) for each in probed]

    def take_snapshot(self) -> Snapshot:
        """Take a snapshot; never raises for what a service does."""
        failures: dict[str, str] = {}

        def result_of(service: BoundedQuery) -> Any:
            try:
                return service.result()
            except (MartletError, KafkaError, redis.RedisError, OSError) as error:
                failures[service.name] = f"{error}" or type(error).__name__
            except Exception as error:  # an unexpected response format
                failures[service.name] = f"{type(error).__name__}: {error}"
            return None

        for service in (self._kafka_service, self._flink_service, *self._probed_servers):
            service.begin()
        log, job = result_of(self._kafka_service), result_of(self._flink_service)
        # Read after the log: otherwise a record that came in between would seem to have waited.
        self._redis_service.begin()
        stored = result_of(self._redis_service)
        probed = tuple(each.name for each in self._probed_servers if result_of(each) is not False)
        lanes, fresh, mark = stored if stored is not None else (None, None, None)
        if mark is not None:
            self._clock.observe(mark)
        snapshot = Snapshot(
            self._clock.wall(), self._clock.now(), log=log, lanes=lanes, fresh=fresh, job=job, failures=failures,
            probed=probed, host=Host() if self._host is None else self._host.read(), learning=self._learning(),
        )  # fmt: skip
        pending = enumerate(snapshot.pending_by_lane(EVENTS) or ())
        self._oldest = {number: snapshot.next_offset(EVENTS, number) for number, count in pending if count}
        if not self._oldest:
            return snapshot
        self._records_service.begin()
        with contextlib.suppress(Exception):  # that Kafka answers is known already; only this number is missing
            snapshot = replace(snapshot, waiting=self._records_service.result())
        return snapshot

    def close(self) -> None:
        self._redis.close()
        if self._consumer_free.acquire(timeout=KAFKA_TIMEOUT):
            if self._consumer is not None:
                self._consumer.close(timeout_ms=1000)
            self._consumer_free.release()

    @contextlib.contextmanager
    def _consuming(self) -> Iterator[KafkaConsumer]:
        """Lend the consumer to one query at a time; after a failure the next query makes a new one."""
        if not self._consumer_free.acquire(timeout=KAFKA_TIMEOUT):
            raise Unavailable("it has not answered the question before this one yet")
        try:
            if self._consumer is None:
                self._consumer = open_consumer(
                    self._kafka,
                    bootstrap_timeout_ms=_KAFKA_MS,
                    request_timeout_ms=_KAFKA_MS,
                    reconnect_backoff_max_ms=500,
                    fetch_max_bytes=1 << 20,
                    max_partition_fetch_bytes=1 << 10,
                )
            yield self._consumer
        except Exception:
            stale, self._consumer = self._consumer, None
            if stale is not None:
                stale.close(timeout_ms=100)
            raise
        finally:
            self._consumer_free.release()

    def _read_kafka(self) -> dict[str, Topic]:
        log = {}
        with self._consuming() as consumer:
            for topic in (EVENTS, SERVED):
                name = self._kafka.topic(topic)
                partitions = consumer.partitions_for_topic(name)
                if partitions:
                    parts = [TopicPartition(name, number) for number in sorted(partitions)]
                    begin = consumer.beginning_offsets(parts, timeout_ms=_KAFKA_MS)
                    end = consumer.end_offsets(parts, timeout_ms=_KAFKA_MS)
                    starts = self._offsets.get(topic, {})
                    log[topic] = Topic(
                        tuple(max(begin[part], starts.get(part.partition, 0)) for part in parts),
                        tuple(end[part] for part in parts),
                    )
        return log

    def _read_oldest(self) -> dict[int, int]:
        """Returns the broker time of the records at the offsets of `_oldest`, by lane; empty if not all were read in time."""
        events = self._kafka.topic(EVENTS)
        parts = {TopicPartition(events, number): offset for number, offset in self._oldest.items()}
        found: dict[int, int] = {}
        deadline = time.monotonic() + RECORDS_TIMEOUT
        with self._consuming() as consumer:
            consumer.assign(list(parts))
            for part, offset in parts.items():
                consumer.seek(part, offset)
            while len(found) < len(parts) and time.monotonic() < deadline:
                for part, records in consumer.poll(timeout_ms=100, max_records=64).items():
                    found[part.partition] = records[0].timestamp
                    consumer.pause(part)
            consumer.unsubscribe()
        return found if len(found) == len(parts) else {}

    def _read_redis(self) -> tuple[dict[int, Lane], dict[tuple[str, int], FreshnessHistogram], int | None]:
        writers = [(operator, subtask) for operator in OPERATORS for subtask in range(MAX_SUBTASKS)]
        pipe = self._redis.pipeline()
        for key in lane_keys(self._kafka.partitions):
            pipe.add("hgetall", key)
        for operator, subtask in writers:
            pipe.add("get", fresh_key(operator, subtask))
        pipe.add("get", CLOCK_KEY)
        answers = pipe.execute()
        hashes = answers[: self._kafka.partitions]
        histograms = zip(writers, answers[len(hashes) : -1], strict=True)
        return (
            read_lanes(hashes, self._generation),
            {writer: FreshnessHistogram.from_json(data) for writer, data in histograms if data is not None},
            None if answers[-1] is None else int(answers[-1]),
        )
