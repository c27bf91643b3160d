"""Appends a record to the topic `scores`."""

from typing import Final

from kafka import KafkaProducer

from features.contracts.scores import ScoreRecord, write_score
from features.engines.kafka_address import KafkaAddress
from features.keys import SCORES

KAFKA_MS: Final = 20_000
"""The time in which a broker must be reached, and answer."""
_CLOSED_S: Final = 5.0


def append_score(kafka: KafkaAddress, record: ScoreRecord) -> None:
    """Append a record and wait until the broker has it. Raises KafkaError."""
    producer = KafkaProducer(
        **kafka.client_options(), acks="all", bootstrap_timeout_ms=KAFKA_MS, request_timeout_ms=KAFKA_MS
    )
    try:
        producer.send(kafka.topic(SCORES), write_score(record), partition=0).get(timeout=KAFKA_MS / 1000)
    finally:
        producer.close(timeout=_CLOSED_S)
