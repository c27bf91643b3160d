"""A table of id → bytes that is read where it lies, in a mapped file: how bases are kept.

Layout, little-endian: 8 bytes magic, u64 count, count × i64 ids ascending, (count + 1) × u64 offsets, the values.
Reading one value is a binary search; nothing is loaded ahead.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from features.errors import Broken

MAGIC: Final = b"MARTLET1"
_HEAD: Final = struct.Struct("<8sQ")


def layout(count: int) -> tuple[bytes, int, int, int]:
    """The head of a table of `count` rows, and where in the file its ids, offsets and values begin: for a writer that streams."""
    offsets_at = _HEAD.size + 8 * count
    return _HEAD.pack(MAGIC, count), _HEAD.size, offsets_at, offsets_at + 8 * (count + 1)


def table_parts(rows: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """The bytes of a table, part by part. `rows` must ascend strictly by id; raises ValueError if they do not."""
    if any(left[0] >= right[0] for left, right in pairwise(rows)):
        raise ValueError("rows of a table must ascend strictly by id")
    yield _HEAD.pack(MAGIC, len(rows))
    yield struct.pack(f"<{len(rows)}q", *(key for key, _ in rows))
    offsets, at = [0], 0
    for _, value in rows:
        at += len(value)
        offsets.append(at)
    yield struct.pack(f"<{len(offsets)}Q", *offsets)
    for _, value in rows:
        yield value


class MappedTable:
    """Reads a table from a buffer (an mmap, or bytes). Raises Broken if the buffer is not a whole table."""

    def __init__(self, buffer: memoryview, name: str = "table") -> None:
        if len(buffer) < _HEAD.size:
            raise Broken(f"{name} has {len(buffer)} bytes, expected a header of {_HEAD.size}")
        magic, count = _HEAD.unpack_from(buffer)
        ids_end = _HEAD.size + 8 * count
        self._values = ids_end + 8 * (count + 1)
        if magic != MAGIC or len(buffer) < self._values:
            raise Broken(f"{name} is not a table of this version, or was cut short")
        self._buffer = buffer
        self._ids = buffer[_HEAD.size : ids_end].cast("q")
        self._offsets = buffer[ids_end : self._values].cast("Q")
        if len(buffer) != self._values + self._offsets[count]:
            raise Broken(f"{name} has {len(buffer)} bytes, expected {self._values + self._offsets[count]}")

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> memoryview:
        """All ids, ascending, as signed 64-bit numbers ("q"); a view of the mapped file."""
        return self._ids

    def _value(self, at: int) -> bytes:
        start = self._values
        return bytes(self._buffer[start + self._offsets[at] : start + self._offsets[at + 1]])

    def get(self, key: int) -> bytes | None:
        at = bisect_left(self._ids, key)
        return self._value(at) if at < len(self._ids) and self._ids[at] == key else None

    def items(self) -> Iterator[tuple[int, bytes]]:
        for at, key in enumerate(self._ids):
            yield key, self._value(at)
