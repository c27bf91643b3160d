"""The topic `items` in a real broker, as the job reads it: as far as it is asked to, and it says where it begins."""

import time
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from features.engines.kafka_address import KafkaAddress
from features.errors import Unavailable
from features.keys import ITEMS
from streaming.operators.items_reader import KafkaItems
from tests.kafka_process import Broker, kafka_process

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_process(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def topic(broker: Broker) -> Iterator[KafkaItems]:
    opened = KafkaItems(broker.address)
    yield opened
    opened.close()


def put(broker: Broker, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    for value in values:
        producer.send(ITEMS, value, partition=0)
    producer.flush(20)
    producer.close(5)


def test_it_is_read_as_far_as_asked_and_on_from_there(broker: Broker, topic: KafkaItems) -> None:
    assert topic.end() == 0
    began = time.time_ns() // 1_000_000
    put(broker, *(b"%d" % number for number in range(3_000)))
    assert topic.end() == 3_000
    first = list(topic.read(0, 1_000))
    rest = list(topic.read(1_000, 3_000))
    assert [offset for offset, _, _ in first + rest] == list(range(3_000))
    assert [value for _, _, value in first + rest] == [b"%d" % number for number in range(3_000)]
    times = [ts for _, ts, _ in first + rest]
    assert times == sorted(times)
    assert times[0] >= began, "the broker's own time"


def test_who_takes_long_with_what_is_read_is_not_late(broker: Broker) -> None:
    put(broker, b"a", b"b")
    topic = KafkaItems(broker.address, patience=5.0)
    end = topic.end()
    for number, _ in enumerate(topic.read(end - 2, end)):
        if number == 0:
            time.sleep(5.5)
    topic.close()
    assert number == 1


def test_what_does_not_come_is_said_in_time(broker: Broker, topic: KafkaItems) -> None:
    end, hasty = topic.end(), KafkaItems(broker.address, patience=2.0)
    with pytest.raises(Unavailable, match=f"topic {ITEMS}"):
        list(hasty.read(end, end + 1))
    hasty.close()
    with pytest.raises(Unavailable, match=f"topic {ITEMS}"):
        KafkaItems(KafkaAddress("127.0.0.1:1"), patience=0.5).end()


def test_where_it_begins_is_told_once_records_are_gone(broker: Broker, topic: KafkaItems) -> None:
    put(broker, b"gone", b"kept")
    end = topic.end()
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_records({TopicPartition(ITEMS, 0): end - 1})
    admin.close()
    assert topic.first() == end - 1
    assert [value for _, _, value in topic.read(end - 1, end)] == [b"kept"]
