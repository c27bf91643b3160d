"""One Kafka for all tests of the learner."""

from collections.abc import Iterator

import pytest

from tests.kafka_process import Broker, kafka_process


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_process(tmp_path_factory.mktemp("home")) as running:
        yield running
