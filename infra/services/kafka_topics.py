"""The topics of a home, made once."""

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from features.contracts.samples import SAMPLE_LIMIT
from features.contracts.served import SERVED_LIMIT
from features.errors import Unavailable
from features.keys import EVENTS, ITEMS, PARTITIONS, REJECTED, SAMPLES, SERVED
from features.units import DAY_MS

EVENT_LIMIT = 4 << 20
REJECT_LIMIT = 6 << 20
"""A reject is the refused value and its headers, so its topic takes more than `events` lets in."""
SERVED_BATCH = 2 * SERVED_LIMIT
"""A broker's limit is of a batch: what the API's producer gathers, or the largest list with its key and headers."""
LEARN_FROM_MS = 30 * DAY_MS
"""How long samples are kept, by the broker's time: training reads the newest, and no feature depends on them."""


def create(bootstrap: str) -> None:
    """Make what is missing. The log, events and shown lists, is kept for good: nothing is deleted by time or size."""
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
        NewTopic(ITEMS, 1, 1, topic_configs={**common, "cleanup.policy": "compact"}),
        NewTopic(SAMPLES, PARTITIONS, 1, topic_configs={**learnt, "max.message.bytes": str(SAMPLE_LIMIT + (64 << 10))}),
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
