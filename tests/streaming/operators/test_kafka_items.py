"""The topic `items` in a real broker, as the job reads it: as far as it is asked to, and it says where it begins."""

import time
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from msgspec.structs import replace

from features.base.reader import Base
from features.contracts.catalogue_mark import write_mark
from features.contracts.events import write_event
from features.contracts.items import compile_item, write_item
from features.engines.kafka_address import KafkaAddress
from features.errors import Unavailable
from features.keys import EVENTS, ITEMS
from features.types import LIKE, Event
from infra.verify.recompute import KafkaReader, Recomputer
from streaming.operators.items_reader import KafkaItems
from tests.kafka_process import Broker, kafka_process
from tests.offline.small_log import HORIZON
from tests.schemas import MOVIES
from tests.streaming.bench import USER
from tests.streaming.crashes import settings_of

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


def test_verify_folds_with_what_is_left_as_the_job_does(broker: Broker, topic: KafkaItems, small_base: Base) -> None:
    films = [
        compile_item(number, {"title": "x", "genres": ["Western"]}, 0, MOVIES.items, "") for number in (2000, 2001)
    ]
    put(broker, *(write_item(film, MOVIES.items) for film in films))
    end = topic.end()
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_records({TopicPartition(ITEMS, 0): end - 1})
    admin.close()
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    partition = broker.address.partition_of(USER)
    producer.send(EVENTS, write_mark(end), partition=partition)
    for film in films:
        liked = Event(f"like {film.item_id}", LIKE, USER, film.item_id, 0, "", HORIZON)
        producer.send(EVENTS, write_event(liked, MOVIES), str(USER).encode(), partition=partition)
    producer.flush(20)
    producer.close(5)
    recomputer = Recomputer(small_base, replace(settings_of(small_base.folder, 1), kafka=broker.address))
    KafkaReader(broker.address).read(recomputer)
    assert recomputer.expected.total() == {"read": 3, "applied": 2, "marks": 1}
    assert recomputer.expected.users[USER].features.tastes["Western"][4] > 0
