"""A consumer that can't be opened leaves no thread behind."""

import threading
from pathlib import Path

import pytest
from kafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from features.engines.kafka_address import KafkaAddress
from features.engines.kafka_consumer import closed_on_failure, open_consumer
from infra.learning.pending_samples import PendingSamples
from tests.kafka_process import kafka_process
from tests.schemas import MOVIES

pytestmark = pytest.mark.services


def test_no_thread_is_left_of_a_consumer_that_finds_no_broker() -> None:
    before = threading.active_count()
    with pytest.raises(KafkaError):
        open_consumer(KafkaAddress("127.0.0.1:9"), bootstrap_timeout_ms=500)
    assert threading.active_count() == before


@pytest.mark.soak
def test_no_thread_is_left_of_a_consumer_that_is_not_made_ready(tmp_path: Path) -> None:
    before = threading.active_count()
    with kafka_process(tmp_path, topics=False) as broker:
        with (
            pytest.raises(UnknownTopicOrPartitionError, match="samples"),
            closed_on_failure(open_consumer(broker.address)),
        ):
            raise KeyError("samples")
        with closed_on_failure(open_consumer(broker.address)) as consumer:
            pass
        assert threading.active_count() > before, "it is open"
        consumer.close()
        pending = PendingSamples(broker.address, MOVIES, {}, {}, print)
        with pytest.raises(KafkaTimeoutError):  # nobody has made its topics
            pending.read(100)
        assert threading.active_count() == before
