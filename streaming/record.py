"""A record of the log as it comes through Flink's SQL: one string, lossless, cheap to hand to Python.

`partition|offset|broker ms|key length|key value`, bytes as ISO 8859-1 characters; a missing key has length −1.
"""

from typing import NamedTuple


class Record(NamedTuple):
    partition: int
    offset: int
    broker_ts: int
    key: bytes | None
    value: bytes


def key_of(packed: str) -> str:
    """The record's key, by which Flink partitions: "" where it is missing."""
    _, _, _, length, rest = packed.split("|", 4)
    return rest[: int(length)] if length != "-1" else ""


def unpack(packed: str) -> Record:
    partition, offset, broker_ts, length, rest = packed.split("|", 4)
    size = int(length)
    if size < 0:
        return Record(int(partition), int(offset), int(broker_ts), None, rest.encode("latin-1"))
    return Record(
        int(partition), int(offset), int(broker_ts), rest[:size].encode("latin-1"), rest[size:].encode("latin-1")
    )
