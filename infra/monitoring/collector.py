"""Asks Kafka, Redis and Flink for a sight of the flow, within a bounded time whatever they do."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import redis
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.base.reader import Offsets
from features.errors import MartletError, Unavailable
from features.keys import CLOCK_KEY, EVENTS, PARTITIONS, SERVED
from features.store.freshness import FreshnessHistogram
from features.store.job_status import MAX_SUBTASKS, OPERATORS, Lane, fresh_key, lane_keys, read_lanes
from infra.home.ports import Ports
from infra.home.record import HomeRecord
from infra.monitoring import flink_status
from infra.monitoring.snapshot import FLINK, KAFKA, REDIS, Flow, Topic
from online.support.home_clock import HomeClock

KAFKA_WITHIN, FLINK_WITHIN, REDIS_WITHIN, RECORDS_WITHIN = 2.0, 2.0, 1.0, 1.0
"""Seconds for each. Kafka and Flink are asked together, then Redis, then Kafka for the oldest pending records: a sight takes
4 s at most."""
_KAFKA_MS = int(KAFKA_WITHIN * 1000)


class _Service:
    """A service that is asked in a thread of its own, one question at a time: whoever asks waits no longer than it wants to,
    and a service that hangs holds one thread, not one a question."""

    def __init__(self, name: str, ask: Callable[[], Any], seconds: float) -> None:
        self.name = name
        self._ask = ask
        self._seconds = seconds
        self._thread: threading.Thread | None = None
        self._outcome: list[Any] = []
        self._deadline = 0.0
        self._hangs = False

    def begin(self) -> None:
        self._deadline = time.monotonic() + self._seconds
        self._hangs = self._thread is not None and self._thread.is_alive()
        if self._hangs:
            return
        outcome: list[Any] = []
        self._outcome = outcome
        self._thread = threading.Thread(target=self._run, args=(outcome,), name=f"ask-{self.name}", daemon=True)
        self._thread.start()

    def _run(self, outcome: list[Any]) -> None:
        try:
            outcome.append(self._ask())
        except Exception as error:  # told to whoever asked
            outcome.append(error)

    def answer(self) -> Any:
        """Raises what the question raised, or Unavailable when its time is over."""
        if self._hangs:
            raise Unavailable("it has not answered the question before this one yet")
        assert self._thread is not None
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if not self._outcome:
            raise Unavailable(f"no answer within {self._seconds:.0f} s")
        if isinstance(self._outcome[0], Exception):
            raise self._outcome[0]
        return self._outcome[0]


def gatherer_of(ports: Ports, record: HomeRecord) -> "Gatherer":
    """The gatherer of a running home. Raises Broken if the home has no base yet."""
    base = record.base()
    clock = HomeClock(base.clock_start, record.clock_since, base.horizon)
    return Gatherer(ports.kafka, ports.redis, ports.flink_rest, record.generation, clock, base.offsets)


class Gatherer:
    """Keeps its connections between sights. For one thread at a time."""

    def __init__(
        self,
        kafka_port: int,
        redis_port: int,
        flink_port: int,
        generation: int,
        clock: HomeClock,
        offsets: Offsets | None = None,
    ) -> None:
        """`offsets`: how far the log is in the base, where the job begins."""
        self._offsets = offsets or {}
        self._generation = generation
        self._clock = clock
        self._bootstrap = f"127.0.0.1:{kafka_port}"
        self._consumer: KafkaConsumer | None = None
        self._consumer_free = threading.Lock()
        self._redis = redis.Redis(
            port=redis_port,
            socket_timeout=REDIS_WITHIN,
            socket_connect_timeout=REDIS_WITHIN,
            retry=Retry(NoBackoff(), 0),
        )
        flink = f"http://127.0.0.1:{flink_port}"
        self._kafka_service = _Service(KAFKA, self._ask_kafka, KAFKA_WITHIN)
        self._flink_service = _Service(FLINK, lambda: flink_status.ask_job(flink, FLINK_WITHIN), FLINK_WITHIN)
        self._records_service = _Service("kafka-records", self._read_oldest, RECORDS_WITHIN)
        self._oldest: dict[int, int] = {}
        self._redis_service = _Service(REDIS, self._ask_redis, REDIS_WITHIN)

    def look(self) -> Flow:
        """A sight of the flow; never raises for what a service does."""
        failures: dict[str, str] = {}

        def answer(service: _Service) -> Any:
            try:
                return service.answer()
            except (MartletError, KafkaError, redis.RedisError, OSError) as error:
                failures[service.name] = f"{error}" or type(error).__name__
            except Exception as error:  # an answer of a shape that nobody foresaw
                failures[service.name] = f"{type(error).__name__}: {error}"
            return None

        self._kafka_service.begin()
        self._flink_service.begin()
        log, job = answer(self._kafka_service), answer(self._flink_service)
        # After the log: a record that came in between must not look as if it had waited.
        self._redis_service.begin()
        stored = answer(self._redis_service)
        lanes, fresh, newest = stored if stored is not None else (None, None, 0)
        self._clock.observe(newest)
        flow = Flow(
            self._clock.wall(), self._clock.now(), log=log, lanes=lanes, fresh=fresh, job=job, failures=failures
        )
        pending = enumerate(flow.pending_by_lane(EVENTS) or ())
        self._oldest = {number: flow.next_offset(EVENTS, number) for number, count in pending if count}
        if not self._oldest:
            return flow
        self._records_service.begin()
        with contextlib.suppress(Exception):  # that Kafka answers is known already; only this number is missing
            flow = replace(flow, waiting=self._records_service.answer())
        return flow

    def close(self) -> None:
        self._redis.close()
        if self._consumer_free.acquire(timeout=KAFKA_WITHIN):
            if self._consumer is not None:
                self._consumer.close(timeout_ms=1000)
            self._consumer_free.release()

    @contextlib.contextmanager
    def _consuming(self) -> Iterator[KafkaConsumer]:
        """The consumer, for one question at a time; after a failure the next one makes another."""
        if not self._consumer_free.acquire(timeout=KAFKA_WITHIN):
            raise Unavailable("it has not answered the question before this one yet")
        try:
            if self._consumer is None:
                self._consumer = KafkaConsumer(
                    bootstrap_servers=self._bootstrap,
                    enable_auto_commit=False,
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

    def _ask_kafka(self) -> dict[str, Topic]:
        log = {}
        with self._consuming() as consumer:
            for topic in (EVENTS, SERVED):
                there = consumer.partitions_for_topic(topic)
                if there:
                    parts = [TopicPartition(topic, number) for number in sorted(there)]
                    begin = consumer.beginning_offsets(parts, timeout_ms=_KAFKA_MS)
                    end = consumer.end_offsets(parts, timeout_ms=_KAFKA_MS)
                    starts = self._offsets.get(topic, {})
                    log[topic] = Topic(
                        tuple(max(begin[part], starts.get(part.partition, 0)) for part in parts),
                        tuple(end[part] for part in parts),
                    )
        return log

    def _read_oldest(self) -> dict[int, int]:
        """Broker time of the records at the places of `_oldest`, by lane; empty if not all could be read in time."""
        wanted = {TopicPartition(EVENTS, number): offset for number, offset in self._oldest.items()}
        found: dict[int, int] = {}
        deadline = time.monotonic() + RECORDS_WITHIN
        with self._consuming() as consumer:
            consumer.assign(list(wanted))
            for part, offset in wanted.items():
                consumer.seek(part, offset)
            while len(found) < len(wanted) and time.monotonic() < deadline:
                for part, records in consumer.poll(timeout_ms=100, max_records=64).items():
                    found[part.partition] = records[0].timestamp
                    consumer.pause(part)
            consumer.unsubscribe()
        return found if len(found) == len(wanted) else {}

    def _ask_redis(self) -> tuple[dict[int, Lane], dict[tuple[str, int], FreshnessHistogram], int]:
        writers = [(operator, subtask) for operator in OPERATORS for subtask in range(MAX_SUBTASKS)]
        pipe = self._redis.pipeline(transaction=False)
        for key in lane_keys():
            pipe.hgetall(key)
        for operator, subtask in writers:
            pipe.get(fresh_key(operator, subtask))
        pipe.get(CLOCK_KEY)
        answers = pipe.execute()
        histograms = zip(writers, answers[PARTITIONS:-1], strict=True)
        return (
            read_lanes(answers[:PARTITIONS], self._generation),
            {writer: FreshnessHistogram.from_json(data) for writer, data in histograms if data is not None},
            int(answers[-1] or 0),
        )
