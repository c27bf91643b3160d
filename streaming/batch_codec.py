"""Codec of record batches as the job's source packs them (`streaming/java`): records of one partition number, in order, whatever
bytes they hold.

partition  4 bytes, then for each record
  topic      1 byte, its index in TOPICS
  offset, broker time in ms  8 bytes each
  key length, value length   4 bytes each; −1 for a missing key, as opposed to an empty one
  key, value
All numbers are signed but the topic's, and little-endian.

A broker limits compressed batches, so a record may have any size. Of a key the first KEY_LIMIT bytes are there. A value of more
than VALUE_LIMIT bytes is cut there, and its length (4 bytes) and its SHA-256 follow: it is longer than the limit, so whoever
refuses such a value refuses a cut one.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from struct import Struct, error
from typing import Final, NamedTuple

import msgspec

from features.contracts.events import EVENT_LIMIT
from features.keys import EVENTS, SERVED

TOPICS: Final = (EVENTS, SERVED)
EVENTS_TOPIC: Final = TOPICS.index(EVENTS)
SERVED_TOPIC: Final = TOPICS.index(SERVED)
_LAST_TOPIC: Final = len(TOPICS) - 1
_PARTITION: Final = Struct("<i")
_HEADER: Final = Struct("<Bqqii")
_NO_KEY: Final = -1
KEY_LIMIT: Final = 16 << 10
"""More than any user's id has."""
VALUE_LIMIT: Final = EVENT_LIMIT
"""What no event has more bytes than, and no list."""
_ENDING: Final = Struct("<i32s")


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


class CutValue(NamedTuple):
    """What a batch tells of a value that was cut: its first VALUE_LIMIT bytes, how many it has, and the SHA-256 of all."""

    start: bytes
    length: int
    digest: bytes


def cut_value(value: bytes) -> CutValue | None:
    """A value of a batch as the cut one that it is; None for a whole one."""
    if len(value) <= VALUE_LIMIT:
        return None
    return CutValue(value[:VALUE_LIMIT], *_ENDING.unpack_from(value, VALUE_LIMIT))


def _pack(record: Record) -> bytes:
    key, value = (b"" if record.key is None else record.key.encode("latin-1"))[:KEY_LIMIT], record.value
    if len(value) > VALUE_LIMIT:
        value = value[:VALUE_LIMIT] + _ENDING.pack(len(value), sha256(value).digest())
    key_length = _NO_KEY if record.key is None else len(key)
    return _HEADER.pack(record.topic, record.offset, record.broker_ts, key_length, len(value)) + key + value
