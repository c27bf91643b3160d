"""Writes to a real Kafka that refuses some of them for good."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka.errors import KafkaError
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from features.errors import Unavailable
from features.keys import ITEMS
from online.kafka.producer import CLOSE_SECONDS, KNOWN_SECONDS, PROBE_EVERY, RENEW_EVERY, KafkaConnection
from tests.home import until
from tests.kafka_process import Broker, kafka_process
from tests.patience import patience

pytestmark = pytest.mark.services

LIMIT = 10_000
"""Bytes of a batch that the broker takes in the topic of the test; fewer than the producer's own limit."""

LATE_MS = int(patience(RENEW_EVERY + CLOSE_SECONDS + 2) * 1000)
"""A record that waits for others for so long is written some time after its producer was replaced."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_process(tmp_path_factory.mktemp("home")) as running:
        admin = KafkaAdminClient(bootstrap_servers=running.bootstrap, request_timeout_ms=10_000)
        until(lambda: ITEMS in set(admin.list_topics()), 30, "Kafka knows its topics")
        topic = ConfigResource(ConfigResourceType.TOPIC, ITEMS, {"max.message.bytes": str(LIMIT)})
        admin.alter_configs([topic])
        admin.close()
        yield running


@contextlib.asynccontextmanager
async def connected(broker: Broker, **options: int) -> AsyncIterator[KafkaConnection]:
    kafka = KafkaConnection(broker.address, 5.0, **options)
    kafka.start()
    try:
        await asyncio.wait_for(kafka.ready(), 30)
        yield kafka
    finally:
        await kafka.stop(5)


async def write(kafka: KafkaConnection, size: int) -> int:
    """The offset of a record of so many bytes, acknowledged within 5 s."""
    async with asyncio.timeout(5):
        return int((await (await kafka.send(ITEMS, b"x" * size, 0))).offset)


async def write_in_the_end(kafka: KafkaConnection) -> int:
    async with asyncio.timeout(patience(30)):
        while True:
            with contextlib.suppress(KafkaError, TimeoutError):
                return await write(kafka, 10)
            await asyncio.sleep(0.1)


def test_after_a_record_that_is_refused_for_good_others_are_written(broker: Broker) -> None:
    """The broker takes nothing more from that producer: the numbers of its records have a gap."""

    async def run() -> list[int]:
        async with connected(broker) as kafka:
            offsets = [await write(kafka, 10)]
            for _ in range(2):
                with pytest.raises(KafkaError):
                    await write(kafka, 2 * LIMIT)
                offsets.append(await write_in_the_end(kafka))
            return offsets

    first, *later = asyncio.run(run())
    assert later == [first + 1, first + 2]


def senders() -> int:
    """How many producers of this loop have not been closed."""
    return [getattr(task.get_coro(), "__name__", "") for task in asyncio.all_tasks()].count("_sender_routine")


def test_a_replaced_producer_is_closed_once_its_last_record_is_written(broker: Broker) -> None:
    async def run() -> None:
        async with connected(broker, linger_ms=LATE_MS) as kafka:
            with pytest.raises(KafkaError):
                await kafka.send("no/topic", b"x", 0)
            late = await kafka.send(ITEMS, b"x", 0)
            async with asyncio.timeout(patience(30)):
                while senders() < 2:
                    await asyncio.sleep(0.05)
                assert not late.done()
                await late
                while senders() > 1:
                    await asyncio.sleep(0.05)

    asyncio.run(run())


def test_a_record_that_the_producer_itself_refuses_costs_no_connection(broker: Broker) -> None:
    async def run() -> None:
        async with connected(broker, max_request_size=1000) as kafka:
            with pytest.raises(KafkaError):
                await kafka.send(ITEMS, b"x" * 2000, 0)
            await asyncio.sleep(0)
            assert [task for task in asyncio.all_tasks() if task.get_name() == "kafka-reconnect"] == []
            await write(kafka, 10)

    asyncio.run(run())


def test_before_the_first_connection_a_write_is_refused_at_once(broker: Broker) -> None:
    async def run() -> None:
        kafka = KafkaConnection(broker.address, 5.0)
        assert not kafka.connected
        assert not await kafka.answers()
        with pytest.raises(Unavailable, match="Kafka is not connected"):
            await kafka.send(ITEMS, b"x", 0)

    asyncio.run(run())


def test_whether_kafka_answers_is_known_within_seconds(broker: Broker) -> None:
    async def known(kafka: KafkaConnection, expected: bool) -> None:
        async with asyncio.timeout(patience(30)):
            while await kafka.answers() is not expected:
                await asyncio.sleep(0.1)

    async def run() -> None:
        async with connected(broker) as kafka:
            await known(kafka, True)
            with broker.frozen():
                await known(kafka, False)
            await known(kafka, True)

    asyncio.run(run())


def test_many_who_want_to_know_are_one_question_and_do_not_wait(broker: Broker) -> None:
    async def run() -> None:
        async with connected(broker) as kafka:
            await asyncio.sleep(PROBE_EVERY + 0.1)
            with broker.frozen():
                assert await asyncio.gather(*(kafka.answers() for _ in range(50))) == [True] * 50
                assert [task.get_name() for task in asyncio.all_tasks()].count("kafka-probe") == 1

    asyncio.run(run())


def test_who_has_not_wanted_to_know_for_long_waits_for_the_answer(broker: Broker) -> None:
    async def run() -> None:
        async with connected(broker) as kafka:
            await asyncio.sleep(KNOWN_SECONDS + 0.1)
            with broker.frozen():
                assert not await kafka.answers()

    asyncio.run(run())
