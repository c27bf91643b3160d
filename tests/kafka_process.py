"""A real Kafka for tests: a home in which nothing else runs, with its topics."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord

from benchmarks.faults.suspended import suspended
from features.engines.kafka_address import KafkaAddress
from features.engines.loopback import LOOPBACK
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.home.record import HomeRecord
from infra.services import kafka, kafka_topics
from infra.services.supervisor import Supervisor
from infra.system.processes import ProcessId, free_ports
from tests.patience import patience


@dataclass(frozen=True)
class Broker:
    address: KafkaAddress
    id: ProcessId
    home: Home
    supervisor: Supervisor

    @property
    def bootstrap(self) -> str:
        """host:port."""
        return self.address.bootstrap

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Suspend Kafka."""
        with suspended(self.id.pid):
            yield


@contextmanager
def kafka_process(folder: Path, topics: bool = True) -> Iterator[Broker]:
    """Starts Kafka, supervised as ever, with a home's topics or none; stops it at the end."""
    home = Home(folder).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.0)
    record.save()
    ports = Ports.choose(free_ports(1)[0], {})
    argv = [str(part) for part in kafka.kafka_format(home, ports, record.cluster_id)]
    subprocess.run(argv, check=True, timeout=patience(60), capture_output=True)
    supervisor = Supervisor(home)
    try:
        supervisor.start(kafka.kafka(home, ports))
        supervisor.note(ports=asdict(ports))
        address = KafkaAddress(f"{LOOPBACK}:{ports.kafka}")
        if topics:
            kafka_topics.create(address)
        yield Broker(address, supervisor.child_id("kafka"), home, supervisor)
    finally:
        supervisor.stop_all()


def read_to_end(consumer: KafkaConsumer, within: float = 60) -> list[ConsumerRecord]:
    """All records from where an assigned consumer stands up to the ends of its partitions as they are now; closes it."""
    ends = consumer.end_offsets(list(consumer.assignment()))
    found: list[ConsumerRecord] = []
    deadline = time.monotonic() + within
    while any(consumer.position(part) < end for part, end in ends.items()):
        assert time.monotonic() < deadline, f"{len(found)} records within {within} s"
        for records in consumer.poll(timeout_ms=200).values():
            found += records
    consumer.close()
    return found
