"""Codec of record batches as Flink's SQL packs them: many records in one string, lossless, cheap to pass to Python.

Bytes are ISO 8859-1 characters; the separators are characters beyond those, so nothing needs escaping.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

FIELD: Final = "\u0100"
"""Separates the fields of a record: topic, partition, offset, broker ms, key, value."""
RECORD: Final = "\u0101"
"""Separates the records of a batch."""
NO_KEY: Final = "\u0102"
"""Marks a missing key, as opposed to an empty one."""

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
    """Yields the records of a batch, in order. Raises ValueError if it is no batch."""
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
    """Returns the partition number of a batch's records: one digit, after the topic's."""
    return int(batch[2])
