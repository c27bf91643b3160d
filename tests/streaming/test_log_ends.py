"""The ends of the log in a real broker, as the job asks for them: right, and no wait beyond the bound."""

import time
from pathlib import Path

import pytest
from kafka import KafkaProducer

from features.errors import Unavailable
from features.keys import EVENTS, SERVED
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC
from streaming.log_ends import Ends, KafkaLogEnds
from tests.home import until
from tests.kafka_process import kafka_process

pytestmark = pytest.mark.services


PATIENCE_S = 20.0
"""Far more than the bounds of a read together, far less than a client without them waits."""


def read(log: KafkaLogEnds) -> Ends | None:
    """The ends, or None where they did not come in time."""
    try:
        return log.read([0, 5])
    except Unavailable:
        return None


def test_ends_are_those_of_both_topics_and_are_found_in_time_or_not_at_all(tmp_path: Path) -> None:
    with kafka_process(tmp_path) as broker:
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
        for topic, partition, count in ((EVENTS, 0, 3), (EVENTS, 5, 1), (SERVED, 5, 2)):
            for _ in range(count):
                producer.send(topic, b"x", partition=partition)
        producer.flush(20)
        producer.close(5)
        log = KafkaLogEnds(broker.address)
        wanted = {(EVENTS_TOPIC, 0): 3, (SERVED_TOPIC, 0): 0, (EVENTS_TOPIC, 5): 1, (SERVED_TOPIC, 5): 2}
        assert until(lambda: read(log), 60, "the ends are read") == wanted
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(Unavailable, match=f"the ends of topics {EVENTS}, {SERVED}"):
            log.read([0])
        assert time.monotonic() - began < PATIENCE_S
    log.close()
