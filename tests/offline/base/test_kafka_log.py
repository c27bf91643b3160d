"""The log in a real broker: what was written comes back, by one span or by Spark, and what can't be read is said."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from features.base.reader import Base
from features.clock import Clock
from features.engines.kafka_address import KafkaAddress
from features.errors import Broken, Unavailable
from features.keys import EVENTS, ITEMS, SERVED
from offline.base.from_log import make_log_base, spans_of
from offline.base.kafka_log import KafkaLog, Record, Span
from offline.console import spark_message
from tests.kafka_process import kafka_process
from tests.offline.conftest import Based, Row
from tests.offline.small_log import HORIZON, WALL, SmallLog
from tests.pure_fold import Reference

pytestmark = pytest.mark.spark

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka_process(tmp_path_factory.mktemp("home")) as broker:
        yield broker.bootstrap


@pytest.fixture(scope="module")
def written(bootstrap: str) -> SmallLog:
    """Only to be read."""
    return write_log(bootstrap)


def write_log(bootstrap: str) -> SmallLog:
    """A log, record for record in the broker; two large values at the end of one partition."""
    log = SmallLog()
    log.go_on(400, [])
    for value in (b"x" * (2 << 20), b"y" * (3 << 20)):
        log.put(EVENTS, 3, b"k", value)
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=4 << 20, linger_ms=5)
    for (topic, partition), records in log.records.items():
        for record in records:
            producer.send(topic, partition=partition, key=record.key, value=record.value)
    producer.flush(60)
    producer.close(10)
    return log


def bare(records: list[Record]) -> list[tuple[int, bytes | None, bytes]]:
    """All but the broker's time."""
    return [(record.offset, record.key, record.value) for record in records]


def test_what_was_written_is_read(bootstrap: str, written: SmallLog) -> None:
    log = KafkaLog(KafkaAddress(bootstrap))
    for (topic, partition), records in written.records.items():
        got = list(log.read(Span(topic, partition, 0, len(records))))
        assert bare(got) == bare(records)
        times = [record.broker_ts for record in got]
        assert times == sorted(times)
        assert all(ts > WALL for ts in times), "the broker's own time"
    some = written.records[EVENTS, 3]
    assert bare(list(log.read(Span(EVENTS, 3, 5, 9)))) == bare(some[5:9])
    assert list(log.read(Span(EVENTS, 3, 9, 9))) == []


def test_a_topics_spans_end_where_a_time_is_over(bootstrap: str, written: SmallLog) -> None:
    log = KafkaLog(KafkaAddress(bootstrap))
    whole = log.spans(EVENTS)[3]
    times = [record.broker_ts for record in log.read(whole)]
    for until in (0, times[0] - 1, times[0], times[-1] - 1, times[-1], times[-1] + 10**9):
        span = log.spans(EVENTS, until=until)[3]
        assert span.end == sum(ts <= until for ts in times), until


def test_a_topics_spans_are_all_of_it(bootstrap: str, written: SmallLog) -> None:
    spans = KafkaLog(KafkaAddress(bootstrap)).spans(EVENTS)
    assert [(span.topic, span.partition, span.start) for span in spans] == [(EVENTS, at, 0) for at in range(len(spans))]
    assert {span.partition: span.end for span in spans if span.end} == {
        partition: len(records)
        for (topic, partition), records in written.records.items()
        if topic == EVENTS and records
    }
    with pytest.raises(Unavailable, match="events"):
        KafkaLog(KafkaAddress("127.0.0.1:1"), patience=1).spans(EVENTS)


def test_what_is_not_there_is_said(bootstrap: str, written: SmallLog) -> None:
    log = KafkaLog(KafkaAddress(bootstrap))
    size = len(written.records[EVENTS, 3])
    with pytest.raises(Broken, match=f"events, partition 3: expected offsets 0 to {size + 1}, the log has 0 to {size}"):
        next(log.read(Span(EVENTS, 3, 0, size + 1)))
    with pytest.raises(Unavailable, match="events, partition 3"):
        next(KafkaLog(KafkaAddress("127.0.0.1:1"), patience=1).read(Span(EVENTS, 3, 0, 1)))


@pytest.mark.soak
def test_spark_reads_it_a_task_a_partition(
    spark: Any,
    based: Based,
    bootstrap: str,
    written: SmallLog,
    tmp_path: Path,
    some_rows: list[Row],
    write_folder: Write,
) -> None:
    (_, first), log, clock = (
        based(write_folder(some_rows), 0.3),
        KafkaLog(KafkaAddress(bootstrap)),
        Clock(HORIZON, WALL),
    )
    (tmp_path / "bases").mkdir()
    make_log_base(spark, first, log, written.ends(), clock, tmp_path / "bases" / "2", log.items_end())
    second = Base(tmp_path / "bases" / "2")
    reference = Reference(first, clock)
    records = {(span.topic, span.partition): list(log.read(span)) for span in spans_of(first, written.ends())}
    records[ITEMS, 0] = list(log.read(Span(ITEMS, 0, 0, log.items_end())))
    reference.feed(records, first.offsets, written.ends())
    assert {user_id: second.stored_user(user_id) for user_id in second.user_ids} == reference.users()
    assert dict(second.all_item_features()) == reference.items()
    assert {item_id: pairs.encode() for item_id, pairs in second.all_pairs()} == reference.pairs()
    assert second.manifest["ledger"][SERVED]["read"] == reference.ledger[SERVED]["read"] > 0


def test_a_log_that_was_shortened_too_far_is_refused(
    spark: Any,
    based: Based,
    tmp_path: Path,
    some_rows: list[Row],
    write_folder: Write,
) -> None:
    """In a broker of its own, as it shortens the log."""
    with kafka_process(tmp_path / "home") as broker:
        _, first = based(write_folder(some_rows), 0.3)
        refuse_shortened(spark, first, broker.bootstrap, tmp_path)


def refuse_shortened(spark: Any, first: Base, bootstrap: str, tmp_path: Path) -> None:
    written = write_log(bootstrap)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.delete_records({TopicPartition(EVENTS, 3): 4}, timeout_ms=10_000)
    admin.close()
    records = written.records[EVENTS, 3]
    assert bare(list(KafkaLog(KafkaAddress(bootstrap)).read(Span(EVENTS, 3, 4, 7)))) == bare(records[4:7])
    (tmp_path / "bases").mkdir()
    with pytest.raises(Exception, match="Broken") as caught:
        make_log_base(
            spark, first, KafkaLog(KafkaAddress(bootstrap)), {EVENTS: {3: 7}}, Clock(0, None), tmp_path / "bases" / "2"
        )
    message = spark_message(caught.value)
    assert (
        message
        == f"features.errors.Broken: events, partition 3: expected offsets 0 to 7, the log has 4 to {len(records)}"
    )
    assert list((tmp_path / "bases").iterdir()) == []
