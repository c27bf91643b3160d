"""The topics of a home, on a real Kafka."""

import re
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from features.errors import Unavailable
from features.keys import EVENTS, ITEMS, REJECTED, SAMPLES, SERVED
from infra.services import kafka, kafka_topics
from infra.system import probes
from tests.home import until
from tests.kafka_process import kafka_process

pytestmark = pytest.mark.services

TOPIC = ConfigResourceType.TOPIC
ALL = {EVENTS, ITEMS, REJECTED, SAMPLES, SERVED}


def test_topics_are_made_once_and_one_that_drops_records_keeps_them_from_then_on(tmp_path: Path) -> None:
    with kafka_process(tmp_path) as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=10_000)
        until(lambda: set(admin.list_topics()) >= ALL, 30, "Kafka knows its topics")
        admin.alter_configs([ConfigResource(TOPIC, ITEMS, {"cleanup.policy": "compact"})])
        kafka_topics.create(broker.address)

        def described() -> list[str]:
            found = admin.describe_configs([ConfigResource(TOPIC, ITEMS)], config_filter="all")["topic"][ITEMS]
            return [found[name]["value"] for name in ("cleanup.policy", "retention.ms")]

        until(lambda: described() == ["delete", "-1"], 30, "Kafka knows of the change")
        admin.close()


def test_another_kafka_on_a_homes_port_is_not_taken_for_its_own(tmp_path: Path) -> None:
    with kafka_process(tmp_path, topics=False) as broker:
        port = int(broker.bootstrap.rpartition(":")[2])

        def is_its_own() -> bool:
            probes.kafka_ready(port, kafka.cluster_of(broker.home))
            return True

        def refusal() -> str:
            with pytest.raises(Unavailable) as caught:
                probes.kafka_ready(port, "elsewhere")
            return str(caught.value)

        until(is_its_own, 30, "Kafka answers in time", despite=Unavailable)
        expected = f"port {port}: expected cluster elsewhere, got .*, another Kafka"
        until(lambda: re.fullmatch(expected, refusal()), 30, "it is told from another one")  # not late, that is
