"""Records of the log as they come through Flink's SQL: many in one string, lossless, cheap to hand to Python.

A record is `topic|partition|offset|broker ms|key length|value length|key value`, bytes as ISO 8859-1 characters; topic is 0
for `events`, 1 for `served`; a missing key has length −1. A batch is records of one partition number separated by a comma.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

EVENTS_TOPIC: Final = 0
SERVED_TOPIC: Final = 1


class Record(NamedTuple):
    topic: int
    partition: int
    offset: int
    broker_ts: int
    key: str | None
    value: bytes


_head = re.compile(r"(\d)\|(\d+)\|(\d+)\|(\d+)\|(-?\d+)\|(\d+)\|")


def unpack_batch(batch: str) -> Iterator[Record]:
    """The records of a batch, in its order. Raises ValueError where it is no batch."""
    at, end = 0, len(batch)
    match = _head.match
    while at < end:
        head = match(batch, at)
        if head is None:
            raise ValueError(f"expected the head of a record at {at} of a batch, got {batch[at : at + 60]!r}")
        topic, partition, offset, broker_ts, key_size, value_size = map(int, head.groups())
        start = head.end()
        key = None
        if key_size >= 0:
            key = batch[start : start + key_size]
            start += key_size
        at = start + value_size
        yield Record(topic, partition, offset, broker_ts, key, batch[start:at].encode("latin-1"))
        at += 1
