"""Marks of the catalogue, over a producer that fails in several ways."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from features.contracts.catalogue_mark import write_mark
from features.engines.kafka_address import KafkaAddress
from features.keys import EVENTS
from online.stores.catalogue_marks import CatalogueMarks
from tests.patience import patience

PARTITIONS = 12


class FakeProducer:
    """Acknowledges after what `faults` says has happened, one a mark: an error to raise, or None for no acknowledgement ever."""

    address = KafkaAddress("nowhere:9", partitions=PARTITIONS)

    def __init__(self, *faults: Exception | None) -> None:
        self._faults = list(faults)
        self.marks: list[tuple[int, bytes]] = []

    async def ready(self) -> "FakeProducer":
        return self

    async def send(self, topic: str, value: bytes, partition: int) -> Awaitable[None]:
        assert topic == EVENTS
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if partition == 0 and self._faults:
            fault = self._faults.pop(0)
            if fault is not None:
                raise fault
            return acknowledged
        acknowledged.set_result(None)
        self.marks.append((partition, value))
        return acknowledged


async def marked(producer: FakeProducer, *versions: int) -> None:
    """Note versions, one after the other is marked."""
    kafka: Any = producer
    marks = CatalogueMarks(kafka, every=0.001, timeout=0.05)
    marks.start()
    try:
        for version in versions:
            marks.note(version)
            async with asyncio.timeout(patience(5)):
                while not {(number, write_mark(version)) for number in range(PARTITIONS)} <= set(producer.marks):
                    await asyncio.sleep(0.001)
    finally:
        await marks.stop()


def test_each_partition_is_marked_with_each_version() -> None:
    producer = FakeProducer()
    asyncio.run(marked(producer, 1, 2, 7))
    wanted = [(number, write_mark(version)) for version in (1, 2, 7) for number in range(PARTITIONS)]
    assert producer.marks == wanted


def test_each_version_is_marked_once_more_later_however_many_come_meanwhile() -> None:
    """The broker of a partition may have a clock behind that of the broker which took the items."""

    async def run() -> list[int]:
        producer = FakeProducer()
        kafka: Any = producer
        marks = CatalogueMarks(kafka, every=0.01, again=0.05)
        marks.start()
        wanted = [write_mark(version) for version in range(1, 30)]
        for version in range(1, 30):
            marks.note(version)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(patience(8)):
            while [value for part, value in producer.marks if part == 3].count(wanted[-1]) < 2:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.2)
        await marks.stop()
        return [wanted.index(value) + 1 for part, value in producer.marks if part == 3]

    found = asyncio.run(run())
    assert found.count(29) == 2
    assert max(found.count(version) for version in found) == 2
    again = [version for at, version in enumerate(found) if version in found[:at]]
    assert len(again) > 1, "also while others come"
    assert again == sorted(again)


def test_an_older_version_is_not_marked_again() -> None:
    async def run() -> list[tuple[int, bytes]]:
        producer = FakeProducer()
        kafka: Any = producer
        marks = CatalogueMarks(kafka, every=0.001)
        marks.start()
        for version in (3, 2, 3):
            marks.note(version)
            await asyncio.sleep(0.02)
        await marks.stop()
        return producer.marks

    assert {value for _, value in asyncio.run(run())} == {write_mark(3)}


@pytest.mark.parametrize("fault", [None, KafkaError("gone"), OSError("gone"), ValueError("a fault of ours")])
def test_what_is_not_acknowledged_is_marked_again(fault: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(marked(FakeProducer(fault, fault), 5))
    assert sum("not marked" in message for message in caplog.messages) == 2
