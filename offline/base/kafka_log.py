"""The log as Spark reads it: one task a partition of a topic, up to a given offset; and the rule by which it takes records.

A task returns what the fold needs: an event's fields, a shown list's head; of a record that is no event, that alone.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa

from features.clock import Clock
from features.contracts.admission import Admission, Marked, Misplaced, key_text
from features.engines.kafka_address import KafkaAddress
from features.errors import BadEvent, Broken, Unavailable
from features.fold.catalogue import Arrivals
from features.keys import EVENTS, ITEMS
from features.schema.document import FILE
from features.schema.tables import read_schema
from features.types import NO_ID, Millis
from features.verdicts import MARKS, REJECTED, REROUTED
from offline.base.fold_workers import Batches, Worker
from offline.spark.grouped_batches import RowBuffer


class Record(NamedTuple):
    """One record; `broker_ts` is when the broker took it, ms."""

    offset: int
    broker_ts: int
    key: bytes | None
    value: bytes


class Span(NamedTuple):
    """The records of a partition with `start` ≤ offset < `end`."""

    topic: str
    partition: int
    start: int
    end: int


class Log(Protocol):
    """A source of records. It is sent to Spark's workers, so it opens what it needs when it is read."""

    def read(self, span: Span) -> Iterator[Record]:
        """The span's records, in order. Raises Broken where its first ones are deleted or its last ones not written yet,
        Unavailable where they don't come."""
        ...


class RetainedLog(Log, Protocol):
    """A log whose oldest records are deleted in time."""

    def first(self, span: Span) -> int:
        """The offset of the oldest record of the span's partition that there still is. Raises Unavailable."""
        ...


@dataclass(frozen=True)
class KafkaLog:
    """The log in Kafka.

    address   where Kafka is
    patience  seconds to wait for a broker, and then for the next record where there must be one
    """

    address: KafkaAddress
    patience: float = 60.0

    def items_end(self) -> int:
        """The offset after the newest record of the topic `items`. Raises Unavailable."""
        return self.spans(ITEMS, 1)[0].end

    def first(self, span: Span) -> int:
        return self.spans(span.topic, span.partition + 1)[span.partition].start

    def spans(self, topic: str, partitions: int | None = None, until: Millis | None = None) -> list[Span]:
        """All that a topic holds now, a span a partition; partitions: how many it has, None of a topic of users; until: only what
        came before the broker took a later record than this, ms. Raises Unavailable."""
        from kafka import KafkaConsumer, TopicPartition
        from kafka.errors import KafkaError

        try:
            consumer = KafkaConsumer(
                **self.address.client_options(), bootstrap_timeout_ms=int(1000 * self.patience),
                request_timeout_ms=int(1000 * self.patience),
            )  # fmt: skip
            try:
                name, numbers = self.address.topic(topic), range(partitions or self.address.partitions)
                parts = [TopicPartition(name, number) for number in numbers]
                first, last = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
                if until is not None:
                    later = consumer.offsets_for_times(dict.fromkeys(parts, until + 1))
                    last |= {part: found.offset for part, found in later.items() if found is not None}
            finally:
                consumer.close()
        except KafkaError as error:
            raise Unavailable(f"{topic}: {error}") from error
        return [Span(topic, part.partition, first[part], last[part]) for part in parts]

    def read(self, span: Span) -> Iterator[Record]:
        from kafka import KafkaConsumer, TopicPartition
        from kafka.errors import KafkaError

        if span.start >= span.end:
            return
        part = TopicPartition(self.address.topic(span.topic), span.partition)
        try:
            consumer = KafkaConsumer(
                **self.address.client_options(), enable_auto_commit=False, max_poll_records=5000,
                max_partition_fetch_bytes=8 << 20, bootstrap_timeout_ms=int(1000 * self.patience),
            )  # fmt: skip
            try:
                consumer.assign([part])
                first, last = consumer.beginning_offsets([part])[part], consumer.end_offsets([part])[part]
                _check_held(span, first, last)
                consumer.seek(part, span.start)
                heard = time.monotonic()
                while consumer.position(part) < span.end:
                    records = consumer.poll(timeout_ms=500).get(part, [])
                    if records:
                        heard = time.monotonic()
                    elif time.monotonic() - heard > self.patience:
                        raise Unavailable(
                            f"{span.topic}, partition {span.partition}: nothing came for {self.patience:.0f} s at offset "
                            f"{consumer.position(part)}, expected records up to {span.end}"
                        )
                    for record in records:
                        if record.offset < span.end:
                            yield Record(record.offset, record.timestamp, record.key, record.value or b"")
            finally:
                consumer.close()
        except KafkaError as error:
            raise Unavailable(f"{span.topic}, partition {span.partition}: {error}") from error


def _check_held(span: Span, first: int, last: int) -> None:
    """Raise Broken unless the log, from `first` to before `last`, has the whole span."""
    if first > span.start or last < span.end:
        raise Broken(
            f"{span.topic}, partition {span.partition}: expected offsets {span.start} to {span.end}, "
            f"the log has {first} to {last}"
        )


EVENT, LIST = 0, 1
TAKEN: Final = pa.schema(
    [
        ("verdict", pa.string()),
        ("user_id", pa.int64()),
        ("topic", pa.int8()),
        ("offset", pa.int64()),
        ("kind", pa.int8()),
        ("item_id", pa.int64()),
        ("centi", pa.int64()),
        ("ts", pa.int64()),
        ("id", pa.string()),
        ("target", pa.string()),
        ("partition", pa.int16()),
        ("catalogue", pa.int64()),
        ("user", pa.string()),
        ("item", pa.string()),
        ("shown", pa.list_(pa.int64())),
    ]
)
"""A record taken: an event (topic 0), or a list (topic 1) with its request_id as `id`; `user` and `item` as in
`Event`. `catalogue` is the catalogue's version that holds in the event's partition. One that was not taken has a verdict,
its topic, partition and version alone."""


class Catalogue(NamedTuple):
    """What is known of the catalogue's versions: those that hold where each partition's span begins, and when records came."""

    versions: Mapping[int, int]
    arrivals: Arrivals


def taking_worker(
    log: Log, spans: Sequence[Span], clock: Clock, schema: str, partitions: int, catalogue: Catalogue
) -> Worker:
    """Rows (id) of numbers of `spans` → TAKEN. schema, partitions: the home's."""

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        out, admission = RowBuffer(TAKEN), Admission(read_schema(schema, FILE), partitions)
        for batch in batches:
            for number in batch.column(0).to_pylist():
                span = spans[number]
                version = catalogue.versions.get(span.partition, 0)
                for record in log.read(span):
                    if span.topic == EVENTS:
                        try:
                            row = _take_event(record, span.partition, clock, admission, version)
                        except Marked as mark:
                            known = catalogue.arrivals.holds(mark.version, record.broker_ts)
                            version = max(version, mark.version) if known else version
                            row = _refused(MARKS if known else REJECTED, EVENT, span.partition, version)
                    else:
                        row = _take_list(record, span.partition, clock, admission)
                    if out.add(row, 80 + len(record.value) // 8):
                        yield from out.take()
        yield from out.take()

    return work


def _refused(verdict: str, topic: int, partition: int, version: int = 0) -> tuple[Any, ...]:
    return (verdict, NO_ID, topic, 0, 0, 0, 0, 0, None, None, partition, version, None, None, None)


def _take_event(record: Record, partition: int, clock: Clock, admission: Admission, version: int) -> tuple[Any, ...]:
    try:
        event = admission.admit(
            record.value, key_text(record.key), partition, record.broker_ts, clock.at(record.broker_ts)
        )
    except BadEvent:
        return _refused(REJECTED, EVENT, partition, version)
    except Misplaced:
        return _refused(REROUTED, EVENT, partition, version)
    fields = (event.kind, event.item_id, event.centi, event.ts, event.event_id, event.target)
    return (None, event.user_id, EVENT, record.offset, *fields, partition, version, event.user, event.item, None)


def _take_list(record: Record, partition: int, clock: Clock, admission: Admission) -> tuple[Any, ...]:
    key, now = key_text(record.key), clock.at(record.broker_ts)
    try:
        head = admission.admit_list(record.value, key, partition, record.broker_ts, now)
    except BadEvent:
        return _refused(REJECTED, LIST, partition)
    row = (
        None,
        head.user_id,
        LIST,
        record.offset,
        0,
        NO_ID,
        0,
        head.ts,
        head.request_id,
        None,
        partition,
        0,
        None,
        None,
    )
    return (*row, head.item_ids)
