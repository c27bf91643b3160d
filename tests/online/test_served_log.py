"""Shown lists on their way into Kafka: a queue that is bounded, that nobody waits for, and that counts what it drops."""

import asyncio
import dataclasses
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import MessageSizeTooLargeError

from features.base import Base
from features.inputs import CROSS_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, ClickWeights, InputMaps
from features.model_inputs import layout
from features.names import PARTITIONS, SAMPLES, SERVED, partition_of
from features.samples import SAMPLE_LIMIT
from features.served import SERVED_LIMIT, read_served, read_served_list
from infra import services, topics
from infra.home import Home
from infra.processes import ProcessId, free_ports
from infra.services import LOOPBACK, Ports
from infra.supervisor import Supervisor
from models.registry import DataSeen, Manifest
from models.registry.manifest import ModelInput
from online import metrics
from online.clock import HomeClock
from online.followed import FollowedFile
from online.items import ItemStore
from online.ranking.catalogue import LiveModel, ModelCatalogue
from online.ranking.client import ModelClient
from online.recommend import NO_LIVE_FEATURES, NO_MODEL, Recommendation, Recommender, Request
from online.served import served_of, weight
from online.served_log import ServedLog
from online.users import UserStore
from online.vectors import VectorShelf

AT = 101 * 86_400_000


def model_of(items: ItemStore) -> LiveModel:
    """A model that takes all there is; no server has it."""
    genres = len(items.genres)
    user, item, cross = len(USER_COLUMNS) + 3 * genres, len(ITEM_COLUMNS) + genres, len(CROSS_COLUMNS)
    maps = InputMaps(
        items.genres,
        *((number,) * size for size in (user, item, cross) for number in (0.0, 1.0)),
    )
    inputs = (ModelInput("user", "float32", user), ModelInput("cross", "float32", cross))
    return LiveModel("widedeep", 3, Manifest("widedeep", 3, inputs, maps, 1, ("score",), (), {}, DataSeen(), "", 0, {}))


@asynccontextmanager
async def recommender(base: Base) -> AsyncIterator[tuple[Recommender, ItemStore]]:
    """The real one, with neither Redis nor a model server: it answers all the same."""
    redis_port, model_port = free_ports(2)
    items = ItemStore(base)
    users = UserStore(LOOPBACK, redis_port, 1, base)
    client = ModelClient(f"{LOOPBACK}:{model_port}")
    models = ModelCatalogue(Path("/nonexistent"), client)
    clock = HomeClock(AT, 0, AT, lambda: 5)
    await client.start()
    try:
        vectors = VectorShelf(None, Path("/nonexistent"), models, items)
        weights = FollowedFile(None, bytes, ClickWeights())
        yield Recommender(models, users, items, client, clock, weights, 5.0, vectors), items
    finally:
        await client.close()
        await users.close()


@pytest.fixture
def answer(base: Base) -> Recommendation:
    """A list for user 7, with features."""

    async def ask() -> Recommendation:
        async with recommender(base) as (made, items):
            return await made.recommend(Request(7, model_of(items), 10))

    return asyncio.run(ask())


def numbered(answer: Recommendation, number: int) -> Recommendation:
    """Another list, of another user."""
    return dataclasses.replace(answer, request_id=f"r{number}", user_id=number)


class Counts:
    """What was counted since it was made."""

    def __init__(self) -> None:
        self._before = self._now()

    @staticmethod
    def _now() -> dict[str, float]:
        reasons = ("full", "kafka", "stopped", "error", "features")
        read = metrics.REGISTRY.get_sample_value
        dropped = {each: read("martlet_served_dropped_total", {"reason": each}) or 0 for each in reasons}
        return {"sent": read("martlet_served_sent_total") or 0, **dropped}

    def get(self) -> dict[str, int]:
        now = {name: int(value - self._before[name]) for name, value in self._now().items()}
        return {name: value for name, value in now.items() if value}


# --- What is logged ---------------------------------------------------------------------------------------------------


def test_a_list_keeps_the_numbers_it_was_made_of(base: Base, answer: Recommendation) -> None:
    served = served_of(answer)
    assert (served.request_id, served.user_id, served.ts, served.at) == (answer.request_id, 7, AT + 5, AT + 5)
    assert (served.model, served.model_version) == ("widedeep", 3)
    assert served.degraded == (NO_LIVE_FEATURES, NO_MODEL)
    assert [(item.item_id, item.score, item.channels) for item in served.items] == [
        (item.item_id, item.score, item.channels) for item in answer.items
    ]
    assert [item.position for item in served.items] == list(range(10))
    assert {item.propensity for item in served.items} == {1.0}
    candidates = served.candidates
    assert set(candidates.item_id) == set(range(1, 41)) - {1, 3}  # all films but the two that user 7 has seen
    place = {item_id: at for at, item_id in enumerate(candidates.item_id)}
    for item in served.items:
        at = place[item.item_id]
        assert candidates.score[at] == item.score
        assert (
            tuple(name for k, name in enumerate(candidates.channels) if candidates.channel[at] >> k & 1)
            == item.channels
        )
    features = served.features
    assert features is not None
    assert features.layout == layout(("Comedy", "Drama", "War"))
    # Column 0 of an item is the logarithm of one more than its ratings: film n has n.
    ratings = np.log1p([item.item_id for item in served.items]).astype(np.float32)
    assert np.array_equal(np.array([row[0] for row in features.items], np.float32), ratings)
    assert features.cross is not None
    assert len(features.cross) == 10
    taste_of_comedy = features.user[len(USER_COLUMNS)]
    assert [row[0] for row in features.cross] == [taste_of_comedy if item.item_id % 2 else 0.0 for item in served.items]


@pytest.mark.parametrize("size", [1, 10])
def test_without_a_model_there_are_no_features_and_the_list_is_logged_all_the_same(base: Base, size: int) -> None:
    async def ask() -> Recommendation:
        async with recommender(base) as (made, _):
            return await made.recommend(Request(7, None, size, at=AT - 1000))

    served = served_of(asyncio.run(ask()))
    assert (served.model, served.model_version, served.features) == (None, None, None)
    assert (served.ts, served.at) == (AT + 5, AT - 1000)
    assert len(served.items) == size


def test_a_list_of_nothing_is_a_list(base: Base) -> None:
    async def ask() -> Recommendation:
        async with recommender(base) as (made, items):
            return await made.recommend(Request(7, model_of(items), 10, exclude=frozenset(range(1, 41))))

    served = served_of(asyncio.run(ask()))
    assert served.items == ()
    assert served.features is not None
    assert served.features.items == []


# --- Without Kafka ----------------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[str]:
    """Something that takes connections and never says a word."""
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
        log = ServedLog(away, limit=10)
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
    large = dataclasses.replace(answer, items=answer.items * 10)
    assert weight(large) > weight(answer)

    async def run() -> None:
        log = ServedLog(away, byte_limit=2 * weight(large) + weight(answer))
        log.start()
        for each in (large, large, large, answer, answer):
            log.put(each)
        assert counts.get() == {"full": 2}
        await log.stop()
        assert counts.get() == {"full": 2, "stopped": 3}

    asyncio.run(run())


# --- With Kafka -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broker:
    bootstrap: str
    id: ProcessId

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Kafka stands still."""
        os.kill(self.id.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.id.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    home = Home(tmp_path_factory.mktemp("home")).make()
    ports = Ports.choose(free_ports(1)[0], {})
    supervisor = Supervisor(home)
    argv = services.kafka_format(home, ports, "AAAAAAAAAAAAAAAAAAAAAA")
    subprocess.run([str(part) for part in argv], check=True, capture_output=True, timeout=60)
    try:
        supervisor.start(services.kafka(home, ports))
        topics.create(f"{LOOPBACK}:{ports.kafka}")
        yield Broker(f"{LOOPBACK}:{ports.kafka}", supervisor.child_id("kafka"))
    finally:
        supervisor.stop_all()


@asynccontextmanager
async def connected(broker: Broker, answer: Recommendation, **more: Any) -> AsyncIterator[ServedLog]:
    """A log that has logged a first list: Kafka is there."""
    log, counts = ServedLog(broker.bootstrap, **more), Counts()
    log.start()
    log.put(answer)
    try:
        async with asyncio.timeout(20):
            while counts.get() != {"sent": 1}:
                await asyncio.sleep(0.01)
        yield log
    finally:
        await log.stop()


class Reading:
    """Reads what comes into `served` from now on."""

    def __init__(self, broker: Broker) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, consumer_timeout_ms=1500)
        parts = [TopicPartition(SERVED, number) for number in range(PARTITIONS)]
        self._consumer.assign(parts)
        for part, end in self._consumer.end_offsets(parts).items():
            self._consumer.seek(part, end)

    def rest(self) -> list[ConsumerRecord]:
        """All records up to now."""
        found = list(self._consumer)
        self._consumer.close()
        return found


def test_every_list_arrives_once_in_its_users_partition_even_if_the_log_stops_at_once(
    broker: Broker, answer: Recommendation
) -> None:
    lists = [numbered(answer, number) for number in range(500)]

    async def run() -> tuple[Counts, Reading]:
        async with connected(broker, answer) as log:
            counts, reading = Counts(), Reading(broker)
            for each in lists:
                log.put(each)
            await log.stop(within=20)
        return counts, reading

    counts, reading = asyncio.run(run())
    assert counts.get() == {"sent": 500}
    records = reading.rest()
    assert len(records) == 500
    found = {record.key: read_served_list(record.value) for record in records}
    assert found == {str(each.user_id).encode(): served_of(each) for each in lists}
    assert all(record.partition == partition_of(int(record.key)) for record in records)
    assert {record.timestamp_type for record in records} == {1}  # the broker's


def test_lists_wait_for_a_kafka_that_stands_still_and_requests_for_nothing(
    broker: Broker, answer: Recommendation
) -> None:
    async def run() -> tuple[Counts, Reading]:
        async with connected(broker, answer, limit=50, within=20) as log:
            counts, reading = Counts(), Reading(broker)
            with broker.frozen():
                for number in range(2000):  # more than the client's own buffer takes, too
                    log.put(numbered(answer, number))
                    await asyncio.sleep(0.001)  # others have their turn
                assert counts.get().keys() == {"full"}
            async with asyncio.timeout(30):
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


def test_a_list_that_can_not_be_written_takes_no_other_along(broker: Broker, answer: Recommendation) -> None:
    broken = dataclasses.replace(answer, items=[dataclasses.replace(answer.items[0], score=object())])

    async def run() -> tuple[Counts, Reading]:
        async with connected(broker, answer) as log:
            counts, reading = Counts(), Reading(broker)
            log.put(broken)
            log.put(answer)
            await log.stop(within=20)
        return counts, reading

    counts, reading = asyncio.run(run())
    assert counts.get() == {"error": 1, "sent": 1}
    assert [read_served(record.value).request_id for record in reading.rest()] == [answer.request_id]


def test_features_that_are_too_large_stay_behind(broker: Broker, answer: Recommendation) -> None:
    raw = answer.ranked.features
    assert raw is not None
    wide = dataclasses.replace(raw, items=np.full((10, SERVED_LIMIT // 40), 0.25, np.float32))

    async def run() -> tuple[Counts, Reading]:
        async with connected(broker, answer) as log:
            counts, reading = Counts(), Reading(broker)
            log.put(dataclasses.replace(answer, ranked=dataclasses.replace(answer.ranked, features=wide)))
            await log.stop(within=20)
        return counts, reading

    counts, reading = asyncio.run(run())
    assert counts.get() == {"features": 1, "sent": 1}
    (record,) = reading.rest()
    served = read_served_list(record.value)
    assert served.features is None
    assert [item.item_id for item in served.items] == [item.item_id for item in answer.items]


@pytest.mark.parametrize(
    ("topic", "size", "kept_ms"), [(SERVED, SERVED_LIMIT, "-1"), (SAMPLES, SAMPLE_LIMIT, "2592000000")]
)
def test_topics_take_the_largest_value_and_only_samples_are_forgotten_after_thirty_days(
    broker: Broker, topic: str, size: int, kept_ms: str
) -> None:
    for length, taken in ((size, True), (3 * size, False)):
        with KafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=4 << 20) as producer:
            assert len(producer.partitions_for(topic)) == PARTITIONS
            sent = producer.send(topic, key=b"1", value=b"x" * length, partition=0)
            if taken:
                sent.get(20)
            else:
                with pytest.raises(MessageSizeTooLargeError):
                    sent.get(20)
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        said = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])["topic"][topic]
    finally:
        admin.close()
    kept = {name: said[name]["value"] for name in ("retention.ms", "message.timestamp.type")}
    assert kept == {"retention.ms": kept_ms, "message.timestamp.type": "LogAppendTime"}
