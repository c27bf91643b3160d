"""Codec of record batches as the job's source packs them (`streaming/java`): records of one partition number, in order, whatever
bytes they hold.

partition  4 bytes, then for each record
  topic      1 byte, its index in TOPICS
  offset, broker time in ms  8 bytes each
  key length, value length   4 bytes each; −1 for a missing key, as opposed to an empty one
  key, value
All numbers are signed but the topic's, and little-endian.
"""

from collections.abc import Iterator, Sequence
from struct import Struct, error
from typing import Final

import msgspec

from features.keys import EVENTS, SERVED

TOPICS: Final = (EVENTS, SERVED)
EVENTS_TOPIC: Final = TOPICS.index(EVENTS)
SERVED_TOPIC: Final = TOPICS.index(SERVED)
_LAST_TOPIC: Final = len(TOPICS) - 1
_PARTITION: Final = Struct("<i")
_HEADER: Final = Struct("<Bqqii")
_NO_KEY: Final = -1


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record of the log: `topic` is an index of TOPICS, `key` its bytes as ISO 8859-1 characters."""

    topic: int
    partition: int
    offset: int
    broker_ts: int
    key: str | None
    value: bytes


def pack_batch(records: Sequence[Record]) -> bytes:
    """Encode records of one partition number, at least one, as the source does."""
    return _PARTITION.pack(records[0].partition) + b"".join(map(_pack, records))


def unpack_batch(batch: bytes) -> Iterator[Record]:
    """Yields the records of a batch, in order. Raises ValueError if it is no batch."""
    partition, at, end = partition_of_batch(batch), _PARTITION.size, len(batch)
    unpack_header, header_size = _HEADER.unpack_from, _HEADER.size
    while at < end:
        try:
            topic, offset, broker_ts, key_length, value_length = unpack_header(batch, at)
        except error as cut:
            raise ValueError(f"expected a packed record at byte {at} of {end}, got {batch[at : at + 60]!r}") from cut
        key_at = at + header_size
        value_at = key_at if key_length == _NO_KEY else key_at + key_length
        at = value_at + value_length
        if topic > _LAST_TOPIC:
            raise ValueError(f"expected a topic from 0 to {_LAST_TOPIC}, got {topic}, at byte {key_at} of {end}")
        if not key_at <= value_at <= at <= end:
            raise ValueError(f"expected a record of {key_length} and {value_length} bytes at byte {key_at} of {end}")
        key = None if key_length == _NO_KEY else batch[key_at:value_at].decode("latin-1")
        yield Record(topic, partition, offset, broker_ts, key, batch[value_at:at])


def partition_of_batch(batch: bytes) -> int:
    """Returns the partition number of a batch's records."""
    try:
        partition: int = _PARTITION.unpack_from(batch)[0]
    except error as cut:
        raise ValueError(f"expected a batch of records, got {batch!r}") from cut
    return partition


def _pack(record: Record) -> bytes:
    key = b"" if record.key is None else record.key.encode("latin-1")
    key_length = _NO_KEY if record.key is None else len(key)
    header = _HEADER.pack(record.topic, record.offset, record.broker_ts, key_length, len(record.value))
    return header + key + record.value
