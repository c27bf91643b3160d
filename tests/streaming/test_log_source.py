"""The job's source in Flink, from a real broker: any bytes come through, in order, and through crashes, exactly once; of records
that are larger than any event, as much as the layout says."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer

from features.keys import DEFAULT_PARTITIONS
from infra.flink import cluster
from infra.flink.cluster import MEMORY, ROCKSDB
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.system.repository import REPO
from streaming.batch_codec import EVENTS_TOPIC, KEY_LIMIT, TOPICS, VALUE_LIMIT, Record, pack_batch, unpack_batch
from tests.kafka_process import Broker, kafka_process
from tests.patience import patience

pytestmark = pytest.mark.services

BACKLOG, AT_ONCE = 40_000, 500
CRASHES = 4
LIMIT = 360.0
"""Seconds until all must have come."""
BACKENDS = {MEMORY: "hashmap", ROCKSDB: "rocksdb"}
Contents = dict[tuple[int, int, int], tuple[str | None, bytes]]
"""(topic, partition, offset) → (key, value)."""


class Log:
    """Sends records of random bytes, without keys, without values, empty and large ones among them."""

    def __init__(self, broker: Broker) -> None:
        self.bootstrap = broker.bootstrap
        self.contents: Contents = {}
        self._rng = random.Random(7)
        self._producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", linger_ms=5)

    def send(self, count: int) -> None:
        """Send so many records; returns once all are acknowledged."""
        rng, sent = self._rng, []
        for number in range(count):
            topic, partition = rng.randrange(len(TOPICS)), rng.randrange(DEFAULT_PARTITIONS)
            key = rng.choice([None, b"", rng.randbytes(rng.randrange(12))])
            value = None if key and number % 100 == 0 else rng.randbytes(100_000 if number == 1 else rng.randrange(200))
            sent.append(
                (topic, partition, key, value, self._producer.send(TOPICS[topic], value, key, partition=partition))
            )
        for topic, partition, key, value, future in sent:
            text = None if key is None else key.decode("latin-1")
            self.contents[topic, partition, future.get(60).offset] = (text, value or b"")

    def send_large(self) -> None:
        """Send records whose keys and values are about as long as the layout has limits for, and much longer, compressed."""
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", compression_type="gzip", max_request_size=64 << 20
        )
        for key_size, size in ((1, VALUE_LIMIT), (KEY_LIMIT, VALUE_LIMIT + 1), (KEY_LIMIT + 1, 0), (1 << 20, 40 << 20)):
            key, value = b"\xff" * key_size, b"x" * (size - 1) + b"y" * min(size, 1)
            offset = producer.send(TOPICS[EVENTS_TOPIC], value, key, partition=0).get(60).offset
            (packed,) = unpack_batch(pack_batch([Record(EVENTS_TOPIC, 0, offset, 0, key.decode("latin-1"), value)]))
            self.contents[EVENTS_TOPIC, 0, offset] = (packed.key, packed.value)
        producer.close(10)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    with kafka_process(tmp_path_factory.mktemp("home")) as broker:
        yield Log(broker)


@pytest.mark.parametrize("state", [MEMORY, pytest.param(ROCKSDB, marks=pytest.mark.soak)])
def test_any_bytes_come_through_in_order_and_exactly_once_whatever_crashes(
    state: str, log: Log, tmp_path: Path
) -> None:
    log.send(BACKLOG)
    log.send_large()
    env = cluster.configure(Home(tmp_path / "home").make(), Ports.choose(0, {}))
    argv = [sys.executable, "-m", "tests.streaming.crashing_source", log.bootstrap, str(tmp_path), str(CRASHES)]
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            [*argv, BACKENDS[state]], env={**os.environ, **env}, cwd=REPO, stdout=out, stderr=out
        )
        try:
            found = await_all(tmp_path, log, process)
            (tmp_path / "end").touch()
            process.wait(patience(60))
        finally:
            process.kill()
            process.wait(10)
    assert not (tmp_path / "wrong").exists(), (tmp_path / "wrong").read_text()[:3000]
    assert crashes(tmp_path) == CRASHES, (tmp_path / "out").read_text()[-3000:]
    assert (tmp_path / "restored").read_text().count("\n") == CRASHES, "a state was lost"
    missing = sorted(log.contents.keys() - found.keys())
    assert not missing, f"{len(missing)} records are missing: {missing[:20]}"
    assert found == log.contents


def crashes(folder: Path) -> int:
    return len(list(folder.glob("crash-*")))


def await_all(folder: Path, log: Log, process: subprocess.Popen[bytes]) -> Contents:
    """What has come once all has, or once the process or the time has ended. More is sent until it has crashed often enough."""
    found: Contents = {}
    path, at, deadline = folder / "batches", 0, time.monotonic() + patience(LIMIT)
    while process.poll() is None and time.monotonic() < deadline:
        for record, end in _records(path.read_bytes()[at:] if path.exists() else b""):
            found[record.topic, record.partition, record.offset] = (record.key, record.value)
            at += end
        if found and crashes(folder) < CRASHES:
            log.send(AT_ONCE)
        elif len(found) == len(log.contents):
            break
        else:
            time.sleep(0.1)
    return found


def _records(data: bytes) -> Iterator[tuple[Record, int]]:
    """The records of whole batches; with the last of each comes how many bytes its batch took."""
    at = 0
    while at + 4 <= len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        if end > len(data):
            return
        *others, last = unpack_batch(data[at + 4 : end])
        yield from ((record, 0) for record in others)
        yield last, end - at
        at = end
