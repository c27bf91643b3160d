"""Items through a real Kafka: two processes' stores end equal, and a broker that stands still holds nobody up for ever."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from features.contracts.items import change_item, compile_item, write_item
from features.errors import Unavailable
from features.keys import ITEMS
from infra.services import kafka_topics
from online.kafka.item_log import KafkaItemLog
from online.stores.item_store import ItemStore
from online.stores.item_topic import ItemTopic
from tests.kafka_process import Broker, kafka_process
from tests.online.conftest import write_base
from tests.patience import patience

pytestmark = pytest.mark.services

MANY = 3_000
NOW = 9


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_process(tmp_path_factory.mktemp("home")) as running:
        yield running


@contextlib.asynccontextmanager
async def process(broker: Broker, store: ItemStore, timeout: float = 20.0) -> AsyncIterator[ItemTopic]:
    """What an API process runs: a topic that reads from the log's beginning, once it may write."""
    log = KafkaItemLog(broker.address)
    topic = ItemTopic(log, store, lambda version: None, timeout=timeout)
    log.start()
    await topic.start()
    try:
        async with asyncio.timeout(patience(30)):
            while not topic.current or not log.kafka.connected:
                await asyncio.sleep(0.01)
        yield topic
    finally:
        await topic.stop()
        await log.stop()


async def put(topic: ItemTopic, store: ItemStore, *numbers: int) -> None:
    items = [compile_item(number, {"title": f"Film {number}"}, NOW, store.attributes) for number in numbers]
    async with topic.changing(len(items)) as change:
        for item in items:
            change.put(item, write_item(item, store.attributes))


async def patch(topic: ItemTopic, store: ItemStore, number: int, year: int) -> None:
    async with topic.changing() as change:
        known = change.latest(number, "")
        assert known is not None
        item = change_item(known, {"year": year}, NOW, store.attributes)
        change.put(item, write_item(item, store.attributes))


def test_many_items_are_written_in_order_with_changes_of_them_and_another_process_reads_the_same(
    broker: Broker, tmp_path: Path
) -> None:
    first, second = (ItemStore(write_base(tmp_path / name)) for name in ("a", "b"))
    numbers = range(1_000, 1_000 + MANY)

    async def run() -> None:
        async with process(broker, first) as topic:
            patches = [patch(topic, first, number, 1990) for number in numbers[::100]]
            await asyncio.gather(put(topic, first, *numbers), *patches)
        async with process(broker, second) as topic:
            await patch(topic, second, numbers[0], 1991)

    asyncio.run(run())
    for store, year in [(first, 1990), (second, 1991)]:
        assert len(store.rows(list(numbers))) == MANY
        found = [store.catalogue.get(number) for number in numbers[::100]]
        years = [None if item is None else store.attributes.shown(item, ["year"])["year"] for item in found]
        assert years == [year, *[1990] * (len(found) - 1)]


def test_while_kafka_stands_still_writes_end_in_time_and_go_on_after(broker: Broker, tmp_path: Path) -> None:
    store = ItemStore(write_base(tmp_path / "base" / "1"))

    async def run() -> None:
        async with process(broker, store, timeout=0.5) as topic:
            with broker.frozen():
                async with asyncio.timeout(10):
                    answers = [put(topic, store, number) for number in (10_001, 10_002)]
                    errors = await asyncio.gather(*answers, return_exceptions=True)
                assert [type(error) for error in errors] == [Unavailable] * 2
            async with asyncio.timeout(patience(30)):
                await put_at_last(topic, store, 10_003)

    asyncio.run(run())
    assert store.row(10_003) is not None


def make_anew(broker: Broker) -> None:
    """Delete the topic and create it again."""
    admin = KafkaAdminClient(**broker.address.client_options())
    topic = broker.address.topic(ITEMS)
    try:
        admin.delete_topics([topic])
        deadline = time.monotonic() + patience(30)
        while topic in admin.list_topics():
            assert time.monotonic() < deadline, "the topic is still there"
            time.sleep(0.05)
    finally:
        admin.close()
    kafka_topics.create(broker.address)


def test_a_topic_made_anew_is_read_again_and_written_by_a_process_that_runs(broker: Broker, tmp_path: Path) -> None:
    store = ItemStore(write_base(tmp_path / "base" / "1"))

    async def run() -> None:
        async with process(broker, store) as topic:
            await put(topic, store, *range(20_000, 20_005))
            await asyncio.to_thread(make_anew, broker)
            async with asyncio.timeout(patience(60)):
                for number in range(20_010, 20_013):
                    await put_at_last(topic, store, number)
                while not topic.current or store.row(20_000) is not None:
                    await asyncio.sleep(0.01)
                await put_at_last(topic, store, 20_013)

    asyncio.run(run())
    assert len(store.rows(list(range(20_010, 20_014)))) == 4
    assert not len(store.rows(list(range(20_000, 20_005)))), "the log does not have them"


async def put_at_last(topic: ItemTopic, store: ItemStore, number: int) -> None:
    while True:
        with contextlib.suppress(Unavailable):
            await put(topic, store, number)
            return
