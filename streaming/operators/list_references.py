"""References to open lists, as the attribution join holds them in Flink's state: chunks of msgpack, some 45 bytes a list."""

import struct
from typing import Any, Final, NamedTuple

import msgspec

from features.ids import OuterId
from features.types import Millis, UserId

_HEX: Final = 32
"""Digits of the ids that the API gives lists; they are stored as half as many bytes."""
_HEADER: Final = struct.Struct(">BH")
_ARRAY: Final = 0xDC
"""The first byte of an array of msgpack whose length takes 16 bits."""


class OpenList(NamedTuple):
    """A reference to an open list: `user` is the id outside; `ts` the home's clock when it was made, ms; `served`, `shown` are
    offsets in the lane's partition."""

    request_id: str
    user_id: UserId
    user: OuterId
    ts: Millis
    served: int
    shown: int | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[Any, int, int | str, int, int, int | None]]).decode


def pack_reference(reference: OpenList) -> bytes:
    """One reference, to be appended to a chunk's."""
    return _encode((_short(reference.request_id), *reference[1:]))


def chunk_of(count: int, packed: bytes | bytearray) -> bytes:
    """A chunk of so many packed references."""
    return _HEADER.pack(_ARRAY, count) + packed


def open_chunk(chunk: bytes) -> tuple[int, bytes]:
    """(how many references, the packed references) of a chunk."""
    return _HEADER.unpack_from(chunk)[1], chunk[_HEADER.size :]


def unpack_chunk(chunk: bytes) -> list[OpenList]:
    """The references of a chunk."""
    return [
        OpenList(request_id.hex() if isinstance(request_id, bytes) else request_id, user_id, user, ts, served, shown)
        for request_id, user_id, user, ts, served, shown in _decode(chunk)
    ]


def _short(request_id: str) -> str | bytes:
    if len(request_id) != _HEX:
        return request_id
    try:
        short = bytes.fromhex(request_id)
    except ValueError:
        return request_id
    return short if short.hex() == request_id else request_id
