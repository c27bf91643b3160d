"""Records of the log as they come through Flink's SQL: many in one string, lossless, cheap to hand to Python.

Bytes are ISO 8859-1 characters, so what separates needs no escaping: it lies beyond them.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

FIELD: Final = "\u0100"
"""Between the fields of a record: topic, partition, offset, broker ms, key, value."""
RECORD: Final = "\u0101"
"""Between the records of a batch."""
NO_KEY: Final = "\u0102"
"""Stands for a missing key, which is not an empty one."""

EVENTS_TOPIC: Final = 0
SERVED_TOPIC: Final = 1


class Record(NamedTuple):
    topic: int
    partition: int
    offset: int
    broker_ts: int
    key: str | None
    value: bytes


def unpack_batch(batch: str) -> Iterator[Record]:
    """The records of a batch, in its order. Raises ValueError where it is no batch."""
    for text in batch.split(RECORD):
        try:
            topic, partition, offset, broker_ts, key, value = text.split(FIELD)
            yield Record(
                int(topic),
                int(partition),
                int(offset),
                int(broker_ts),
                None if key == NO_KEY else key,
                value.encode("latin-1"),
            )
        except ValueError as error:
            raise ValueError(f"expected a packed record, got {text[:60]!r}: {error}") from error


def partition_of_batch(batch: str) -> int:
    """The partition number of all its records: one digit, after the topic's."""
    return int(batch[2])
