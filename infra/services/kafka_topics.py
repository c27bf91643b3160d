"""Creation of a home's topics."""

from contextlib import suppress
from typing import Final

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from features.contracts.events import EVENT_LIMIT
from features.contracts.samples import SAMPLE_LIMIT
from features.contracts.scores import SCORE_LIMIT
from features.contracts.served import SERVED_LIMIT
from features.contracts.shown_lists import SHOWN_LIMIT
from features.engines.kafka_address import KafkaAddress
from features.errors import Unavailable
from features.keys import EVENTS, ITEMS, REJECTED, SAMPLES, SCORES, SERVED, SHOWN
from features.units import DAY_MS

EVENT_BATCH = EVENT_LIMIT + (64 << 10)
REJECT_BATCH = 6 << 20
"""A reject is the refused value with headers, so its topic's limit is above that of `events`."""
SERVED_BATCH, SHOWN_BATCH = 2 * SERVED_LIMIT, 2 * SHOWN_LIMIT
"""A broker's limit applies to a batch: what the API's producer collects, or the largest list with its key and headers."""
LEARN_FROM_MS = 30 * DAY_MS
"""Retention of samples and of what lists were made of, by the broker's time: training reads the newest, and no feature depends
on them."""


IN_SYNC: Final = 2
"""So many replicas have a record before it is acknowledged, of topics that are created with more."""


def topics_of(address: KafkaAddress, replication: int = -1) -> list[NewTopic]:
    """Returns the topics of a home, by their names in Kafka, with so many replicas (-1: as many as the cluster has by default).
    The log, which is events and the heads of shown lists, is retained for good, not deleted by time or size."""
    lasting = {"min.insync.replicas": str(IN_SYNC)} if replication > IN_SYNC else {}
    common = {"retention.ms": "-1", "retention.bytes": "-1", "message.timestamp.type": "LogAppendTime", **lasting}
    learnt = {
        "retention.ms": str(LEARN_FROM_MS),
        "segment.ms": str(DAY_MS),  # only whole segments are deleted
        "message.timestamp.type": "LogAppendTime",
        **lasting,
    }
    of_users = address.partitions
    shapes: list[tuple[str, int, dict[str, str]]] = [
        (EVENTS, of_users, {**common, "max.message.bytes": str(EVENT_BATCH)}),
        (REJECTED, 1, {**common, "max.message.bytes": str(REJECT_BATCH)}),
        (SERVED, of_users, {**common, "max.message.bytes": str(SERVED_BATCH)}),
        (ITEMS, 1, common),
        (SCORES, 1, {**learnt, "max.message.bytes": str(2 * SCORE_LIMIT)}),
        (SHOWN, of_users, {**learnt, "max.message.bytes": str(SHOWN_BATCH)}),
        (SAMPLES, of_users, {**learnt, "max.message.bytes": str(SAMPLE_LIMIT + (64 << 10))}),
    ]
    return [NewTopic(address.topic(name), parts, replication, topic_configs=configs) for name, parts, configs in shapes]


REQUIRED_CONFIGS: Final = (
    "cleanup.policy",
    "message.timestamp.type",
    "retention.ms",
    "retention.bytes",
    "max.message.bytes",
)


def required_configs(topic: NewTopic) -> dict[str, str]:
    """Returns the settings that a topic must have, whoever creates it: `max.message.bytes` or more, all others as they are."""
    wanted = {"cleanup.policy": "delete", **topic.topic_configs}
    return {name: wanted[name] for name in REQUIRED_CONFIGS if name in wanted}


def documented_rows() -> list[str]:
    """Returns the rows of the table of topics in docs/attach.md."""
    many, one = (topics_of(KafkaAddress("", partitions=count)) for count in (2, 1))
    rows = []
    for topic, other in zip(many, one, strict=True):
        wanted = required_configs(topic)
        parts = "1" if topic.num_partitions == other.num_partitions else "`kafka.partitions`"
        rows.append(
            f"| `{topic.name}` | {parts} | {' | '.join(wanted.get(name, 'any') for name in REQUIRED_CONFIGS)} |"
        )
    return rows


READY_MS: Final = 30_000
"""Until all brokers know a new topic."""


def create(address: KafkaAddress) -> None:
    """Create the missing topics, and wait until they are known. Raises Unavailable if Kafka does not do it."""
    topics, items = topics_of(address), address.topic(ITEMS)
    try:
        admin = KafkaAdminClient(**address.client_options(), request_timeout_ms=10_000)
        try:
            existing = set(admin.list_topics())
            if items in existing:
                _keep_every_record(admin, items)
            missing = [topic for topic in topics if topic.name not in existing]
            for topic in missing:
                with suppress(TopicAlreadyExistsError):
                    admin.create_topics([topic])
            admin.wait_for_topics([topic.name for topic in missing], READY_MS)
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
