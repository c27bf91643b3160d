"""The ends of the log in a real broker, as the job asks for them: right, and no wait beyond the bound."""

import time
from pathlib import Path

import pytest
from kafka import KafkaProducer

from features.errors import Unavailable
from features.keys import EVENTS, SERVED
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC
from streaming.log_ends import TIMEOUT_MS, KafkaLogEnds
from tests.kafka_process import kafka_process

pytestmark = pytest.mark.services


def test_ends_are_those_of_both_topics_and_are_found_in_time_or_not_at_all(tmp_path: Path) -> None:
    with kafka_process(tmp_path) as broker:
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
        for topic, partition, count in ((EVENTS, 0, 3), (EVENTS, 5, 1), (SERVED, 5, 2)):
            for _ in range(count):
                producer.send(topic, b"x", partition=partition)
        producer.flush(20)
        producer.close(5)
        log = KafkaLogEnds(broker.address)
        assert log.read([0, 5]) == {
            (EVENTS_TOPIC, 0): 3,
            (SERVED_TOPIC, 0): 0,
            (EVENTS_TOPIC, 5): 1,
            (SERVED_TOPIC, 5): 2,
        }
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(Unavailable, match=f"the ends of topics {EVENTS}, {SERVED}"):
            log.read([0])
        assert time.monotonic() - began < 3 * TIMEOUT_MS / 1000
    log.close()
