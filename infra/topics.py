"""The topics of a home, made once."""

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from features.errors import Unavailable
from features.names import EVENTS, PARTITIONS, REJECTED, SAMPLES, SERVED

EVENT_LIMIT = 4 << 20
REJECT_LIMIT = 6 << 20
"""A reject is the refused value and its headers, so its topic takes more than `events` lets in."""


def create(bootstrap: str) -> None:
    """Make what is missing. The log is kept for good: nothing is deleted by time or size."""
    common = {"retention.ms": "-1", "retention.bytes": "-1", "message.timestamp.type": "LogAppendTime"}
    topics = [
        NewTopic(EVENTS, PARTITIONS, 1, topic_configs={**common, "max.message.bytes": str(EVENT_LIMIT)}),
        NewTopic(SERVED, PARTITIONS, 1, topic_configs=common),
        NewTopic(SAMPLES, PARTITIONS, 1, topic_configs=common),
        NewTopic(REJECTED, 1, 1, topic_configs={**common, "max.message.bytes": str(REJECT_LIMIT)}),
    ]
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
        try:
            there = set(admin.list_topics())
            for topic in topics:
                if topic.name not in there:
                    try:
                        admin.create_topics([topic])
                    except TopicAlreadyExistsError:
                        continue
        finally:
            admin.close()
    except KafkaError as error:
        raise Unavailable(f"the topics could not be made: {error}") from error
