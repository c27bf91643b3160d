"""Creation of a home's topics."""

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from features.contracts.samples import SAMPLE_LIMIT
from features.contracts.served import SERVED_LIMIT
from features.contracts.shown_lists import SHOWN_LIMIT
from features.errors import Unavailable
from features.keys import EVENTS, ITEMS, PARTITIONS, REJECTED, SAMPLES, SERVED, SHOWN
from features.units import DAY_MS

EVENT_LIMIT = 4 << 20
REJECT_LIMIT = 6 << 20
"""A reject is the refused value with headers, so its topic's limit is above that of `events`."""
SERVED_BATCH, SHOWN_BATCH = 2 * SERVED_LIMIT, 2 * SHOWN_LIMIT
"""A broker's limit applies to a batch: what the API's producer collects, or the largest list with its key and headers."""
LEARN_FROM_MS = 30 * DAY_MS
"""Retention of samples and of what lists were made of, by the broker's time: training reads the newest, and no feature depends
on them."""


def create(bootstrap: str) -> None:
    """Create the missing topics. The log, which is events and the heads of shown lists, is retained for good, not deleted by time
    or size. Raises Unavailable if Kafka does not do it."""
    common = {"retention.ms": "-1", "retention.bytes": "-1", "message.timestamp.type": "LogAppendTime"}
    learnt = {
        "retention.ms": str(LEARN_FROM_MS),
        "segment.ms": str(DAY_MS),  # only whole segments are deleted
        "message.timestamp.type": "LogAppendTime",
    }
    topics = [
        NewTopic(EVENTS, PARTITIONS, 1, topic_configs={**common, "max.message.bytes": str(EVENT_LIMIT)}),
        NewTopic(REJECTED, 1, 1, topic_configs={**common, "max.message.bytes": str(REJECT_LIMIT)}),
        NewTopic(SERVED, PARTITIONS, 1, topic_configs={**common, "max.message.bytes": str(SERVED_BATCH)}),
        NewTopic(ITEMS, 1, 1, topic_configs=common),
        NewTopic(SHOWN, PARTITIONS, 1, topic_configs={**learnt, "max.message.bytes": str(SHOWN_BATCH)}),
        NewTopic(SAMPLES, PARTITIONS, 1, topic_configs={**learnt, "max.message.bytes": str(SAMPLE_LIMIT + (64 << 10))}),
    ]
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
        try:
            existing = set(admin.list_topics())
            if ITEMS in existing:
                _keep_every_record(admin, ITEMS)
            for topic in topics:
                if topic.name not in existing:
                    try:
                        admin.create_topics([topic])
                    except TopicAlreadyExistsError:
                        continue
        finally:
            admin.close()
    except KafkaError as error:
        raise Unavailable(f"the topics could not be made: {error}") from error


def _keep_every_record(admin: KafkaAdminClient, topic: str) -> None:
    """Change a topic whose older records Kafka drops for newer ones, as homes of older versions have it. Raises Unavailable if
    Kafka refuses."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "delete"})
    answer = admin.alter_configs([resource])["topic"][topic]
    if answer != "OK":
        raise Unavailable(f"the records of the topic {topic} would not be kept: {answer}")
