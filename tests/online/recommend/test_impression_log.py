"""The impression log without Kafka: a bounded queue that never blocks, and that counts what it drops."""

import asyncio
import dataclasses
from collections.abc import Iterator

import pytest

from features.engines.kafka_address import KafkaAddress
from features.engines.loopback import LOOPBACK
from infra.system.processes import free_ports
from online.recommend.impression import weight
from online.recommend.impression_log import ImpressionLog
from online.recommend.recommendation import Recommendation
from tests.online.sample_lists import Counts, numbered


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts connections and never responds."""
    import socket

    with socket.socket() as listening:
        listening.bind((LOOPBACK, 0))
        listening.listen(16)
        yield f"{LOOPBACK}:{listening.getsockname()[1]}"


@pytest.fixture(params=["nobody", "silent"])
def away(request: pytest.FixtureRequest) -> str:
    """An address at which there is no Kafka."""
    if request.param == "silent":
        return str(request.getfixturevalue("silent"))
    return f"{LOOPBACK}:{free_ports(1)[0]}"


def test_what_does_not_fit_is_dropped_and_counted_and_the_rest_when_it_stops(away: str, answer: Recommendation) -> None:
    counts = Counts()

    async def run() -> None:
        log = ImpressionLog(KafkaAddress(away), limit=10)
        log.start()
        for number in range(25):
            log.put(numbered(answer, number))
        await asyncio.sleep(0.05)
        for number in range(25):
            log.put(numbered(answer, number))
        assert counts.get() == {"full": 40}
        async with asyncio.timeout(10):
            await log.stop()
        assert counts.get() == {"full": 40, "stopped": 10}
        log.put(answer)
        assert counts.get() == {"full": 40, "stopped": 11}

    asyncio.run(run())


def test_the_queue_is_bounded_by_bytes_too(away: str, answer: Recommendation) -> None:
    counts = Counts()
    large = dataclasses.replace(answer, item_ids=answer.item_ids * 10)
    assert weight(large) > weight(answer)

    async def run() -> None:
        log = ImpressionLog(KafkaAddress(away), byte_limit=2 * weight(large) + weight(answer))
        log.start()
        for each in (large, large, large, answer, answer):
            log.put(each)
        assert counts.get() == {"full": 2}
        await log.stop()
        assert counts.get() == {"full": 2, "stopped": 3}

    asyncio.run(run())
