"""The impression log with a Kafka that runs, is suspended, or resumes."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import MessageSizeTooLargeError

from features.contracts.samples import SAMPLE_LIMIT
from features.contracts.served import SERVED_LIMIT, read_served
from features.contracts.shown_lists import SHOWN_LIMIT, read_shown, write_shown
from features.keys import DEFAULT_PARTITIONS, SAMPLES, SERVED, SHOWN, partition_of
from online.recommend.impression import impression_of
from online.recommend.impression_log import ImpressionLog
from online.recommend.recommendation import Recommendation
from tests.kafka_process import Broker, kafka_process, read_to_end
from tests.online.sample_lists import Counts, numbered
from tests.patience import patience
from tests.schemas import MOVIES

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_process(tmp_path_factory.mktemp("home")) as running:
        yield running


@asynccontextmanager
async def connected(broker: Broker, answer: Recommendation, **more: Any) -> AsyncIterator[ImpressionLog]:
    """An impression log that has logged a first list, so that Kafka is connected."""
    log, counts = ImpressionLog(broker.address, **more), Counts()
    log.start()
    log.put(answer)
    try:
        async with asyncio.timeout(patience(20)):
            while counts.get() != {"sent": 1}:
                await asyncio.sleep(0.01)
        yield log
    finally:
        await log.stop()


class Reading:
    """Reads what comes into a topic from now on."""

    def __init__(self, broker: Broker, topic: str = SERVED) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap)
        parts = [TopicPartition(topic, number) for number in range(DEFAULT_PARTITIONS)]
        self._consumer.assign(parts)
        for part, end in self._consumer.end_offsets(parts).items():
            self._consumer.seek(part, end)

    def rest(self) -> list[ConsumerRecord]:
        """All records up to now."""
        return read_to_end(self._consumer)


def test_every_list_arrives_once_in_its_users_partition_even_if_the_log_stops_at_once(
    broker: Broker, answer: Recommendation
) -> None:
    lists = [numbered(answer, number) for number in range(500)]

    async def run() -> tuple[Counts, Reading, Reading]:
        async with connected(broker, answer) as log:
            counts, heads, records = Counts(), Reading(broker), Reading(broker, SHOWN)
            for each in lists:
                log.put(each)
            await log.stop(timeout=20)
        return counts, heads, records

    counts, reading, shown = asyncio.run(run())
    assert counts.get() == {"sent": 500}
    heads = reading.rest()
    assert len(heads) == 500
    records = {(record.partition, record.offset): record for record in shown.rest()}
    found = {}
    for record in heads:
        head = read_served(record.value, MOVIES.ids)
        of = records.pop((record.partition, head.shown))
        assert of.key == record.key
        found[record.key] = read_shown(of.value)
        assert (head.request_id, head.ts) == (found[record.key].request_id, found[record.key].ts)
        assert head.item_ids == tuple(item.item_id for item in found[record.key].items)
    assert records == {}
    assert found == {str(each.user_id).encode(): read_shown(write_shown(impression_of(each))) for each in lists}
    assert all(record.partition == partition_of(int(record.key), DEFAULT_PARTITIONS) for record in heads)
    assert {record.timestamp_type for record in heads} == {1}  # the broker's


@pytest.mark.soak
def test_lists_wait_for_a_kafka_that_stands_still_and_requests_for_nothing(
    broker: Broker, answer: Recommendation
) -> None:
    async def run() -> tuple[Counts, Reading]:
        async with connected(broker, answer, limit=50, timeout=20) as log:
            counts, reading = Counts(), Reading(broker)
            with broker.frozen():
                for number in range(2000):  # more than the client's own buffer takes, too
                    log.put(numbered(answer, number))
                    await asyncio.sleep(0.001)  # others have their turn
                assert counts.get().keys() == {"full"}
            async with asyncio.timeout(patience(30)):
                while sum(counts.get().values()) < 2000:
                    await asyncio.sleep(0.05)
        assert counts.get().keys() == {"full", "sent"}
        return counts, reading

    counts, reading = asyncio.run(run())
    records = reading.rest()
    assert len({record.key for record in records}) == len(records) == counts.get()["sent"]


def test_the_end_comes_within_its_bound_when_kafka_stands_still(broker: Broker, answer: Recommendation) -> None:
    async def run() -> Counts:
        async with connected(broker, answer) as log:
            counts = Counts()
            with broker.frozen():
                for number in range(100):
                    log.put(numbered(answer, number))
                async with asyncio.timeout(10):
                    await log.stop()
        return counts

    assert asyncio.run(run()).get() == {"stopped": 100}


def test_a_list_whose_record_can_not_be_made_is_logged_without_and_takes_no_other_along(
    broker: Broker, answer: Recommendation
) -> None:
    no_scores: Any = np.array(["none", "at all"])
    broken = dataclasses.replace(answer, ranked=dataclasses.replace(answer.ranked, scores=no_scores))
    broken = dataclasses.replace(broken, request_id="broken")

    async def run() -> tuple[Counts, Reading]:
        async with connected(broker, answer) as log:
            counts, reading = Counts(), Reading(broker)
            log.put(broken)
            log.put(answer)
            await log.stop(timeout=20)
        return counts, reading

    counts, reading = asyncio.run(run())
    assert counts.get() == {"sent": 2, "record: error": 1}
    heads = [read_served(record.value, MOVIES.ids) for record in reading.rest()]
    assert {head.request_id: head.shown is None for head in heads} == {"broken": True, answer.request_id: False}


def test_features_that_are_too_large_stay_behind(broker: Broker, answer: Recommendation) -> None:
    raw = answer.ranked.features
    assert raw is not None
    wide = dataclasses.replace(raw, items=np.full((10, SHOWN_LIMIT // 40), 0.25, np.float32))

    async def run() -> tuple[Counts, Reading]:
        async with connected(broker, answer) as log:
            counts, reading = Counts(), Reading(broker, SHOWN)
            log.put(dataclasses.replace(answer, ranked=dataclasses.replace(answer.ranked, features=wide)))
            await log.stop(timeout=20)
        return counts, reading

    counts, reading = asyncio.run(run())
    assert counts.get() == {"record: features": 1, "sent": 1}
    (record,) = reading.rest()
    served = read_shown(record.value)
    assert served.features is None
    assert [item.item_id for item in served.items] == [item.item_id for item in answer.items]


@pytest.mark.parametrize(
    ("topic", "size", "retention_ms"),
    [
        (SERVED, SERVED_LIMIT, "-1"),
        (SHOWN, SHOWN_LIMIT, "2592000000"),
        (SAMPLES, SAMPLE_LIMIT, "2592000000"),
    ],
)
def test_topics_take_the_largest_value_and_what_only_training_reads_is_deleted_after_thirty_days(
    broker: Broker, topic: str, size: int, retention_ms: str
) -> None:
    for length, taken in ((size, True), (3 * size, False)):
        with KafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=4 << 20) as producer:
            assert len(producer.partitions_for(topic)) == DEFAULT_PARTITIONS
            sent = producer.send(topic, key=b"1", value=b"x" * length, partition=0)
            if taken:
                sent.get(20)
            else:
                with pytest.raises(MessageSizeTooLargeError):
                    sent.get(20)
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])["topic"][topic]
    finally:
        admin.close()
    found = {name: configs[name]["value"] for name in ("retention.ms", "message.timestamp.type")}
    assert found == {"retention.ms": retention_ms, "message.timestamp.type": "LogAppendTime"}
