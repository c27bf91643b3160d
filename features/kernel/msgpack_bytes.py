"""Numbers in MessagePack, compiled: written in the shortest form, which is the one that msgspec writes, and read again.

Writers put a value into `data` (uint8) at an index and return the index behind it; the caller has made room. Readers never read
at or beyond `end`: they return (value, index behind it), with the index BROKEN where there is no such value.
"""

from typing import Final

from features.arrays import AnyArray
from features.recall.compiled import compiled

BROKEN: Final = -1
MAX_BYTES: Final = 9
"""Of one number."""


@compiled
def put_1_byte(data: AnyArray, at: int, value: int) -> int:
    """The lowest byte of a number; those below: more of it, the highest first. Each is written out, since a loop over the bytes
    takes three times as long."""
    data[at] = value & 0xFF
    return at + 1


@compiled
def put_2_bytes(data: AnyArray, at: int, value: int) -> int:
    data[at] = (value >> 8) & 0xFF
    data[at + 1] = value & 0xFF
    return at + 2


@compiled
def _put_4_bytes(data: AnyArray, at: int, value: int) -> int:
    return put_2_bytes(data, put_2_bytes(data, at, value >> 16), value)


@compiled
def put_8_bytes(data: AnyArray, at: int, value: int) -> int:
    return _put_4_bytes(data, _put_4_bytes(data, at, value >> 32), value)


@compiled
def put_int(data: AnyArray, at: int, value: int) -> int:
    """A signed 64-bit number."""
    if -32 <= value < 128:
        return put_1_byte(data, at, value)
    if value < 0:
        return _put_negative(data, at, value)
    if value < 1 << 8:
        data[at] = 0xCC
        return put_1_byte(data, at + 1, value)
    if value < 1 << 16:
        data[at] = 0xCD
        return put_2_bytes(data, at + 1, value)
    if value < 1 << 32:
        data[at] = 0xCE
        return _put_4_bytes(data, at + 1, value)
    data[at] = 0xCF
    return put_8_bytes(data, at + 1, value)


@compiled
def _put_negative(data: AnyArray, at: int, value: int) -> int:
    """A number below -32."""
    if value >= -(1 << 7):
        data[at] = 0xD0
        return put_1_byte(data, at + 1, value)
    if value >= -(1 << 15):
        data[at] = 0xD1
        return put_2_bytes(data, at + 1, value)
    if value >= -(1 << 31):
        data[at] = 0xD2
        return _put_4_bytes(data, at + 1, value)
    data[at] = 0xD3
    return put_8_bytes(data, at + 1, value)


@compiled
def put_bool(data: AnyArray, at: int, value: int) -> int:
    """True for any number but 0."""
    data[at] = 0xC3 if value else 0xC2
    return at + 1


@compiled
def put_array_header(data: AnyArray, at: int, length: int) -> int:
    """Begin an array of fewer than 65,536 values."""
    return _put_header(data, at, length, 0x90, 0xDC)


@compiled
def put_map_header(data: AnyArray, at: int, length: int) -> int:
    """Begin a map of fewer than 65,536 entries."""
    return _put_header(data, at, length, 0x80, 0xDE)


@compiled
def _put_header(data: AnyArray, at: int, length: int, short: int, long: int) -> int:
    if length < 16:
        data[at] = short | length
        return at + 1
    data[at] = long
    return put_2_bytes(data, at + 1, length)


@compiled
def put_ints(data: AnyArray, at: int, values: AnyArray, count: int) -> int:
    """The first `count` values as an array."""
    at = put_array_header(data, at, count)
    for which in range(count):
        at = put_int(data, at, values[which])
    return at


@compiled
def put_bytes_header(data: AnyArray, at: int, length: int) -> int:
    """Begin so many bytes, fewer than 65,536, which the caller writes behind it."""
    if length < 256:
        data[at] = 0xC4
        return put_1_byte(data, at + 1, length)
    data[at] = 0xC5
    return put_2_bytes(data, at + 1, length)


@compiled
def put_text(data: AnyArray, at: int, texts: AnyArray, start: int, stop: int) -> int:
    """The UTF-8 in texts[start:stop], of fewer than 65,536 bytes."""
    length = stop - start
    if length < 32:
        at = put_1_byte(data, at, 0xA0 | length)
    elif length < 256:
        at = put_1_byte(data, put_1_byte(data, at, 0xD9), length)
    else:
        at = put_2_bytes(data, put_1_byte(data, at, 0xDA), length)
    for byte in range(length):
        data[at + byte] = texts[start + byte]
    return at + length


@compiled
def get_int(data: AnyArray, at: int, end: int) -> tuple[int, int]:
    """A signed 64-bit number, or a bool as 1 or 0."""
    if at < 0 or at >= end:
        return 0, BROKEN
    first = int(data[at])
    if first < 0x80:
        return first, at + 1
    if first >= 0xE0:
        return first - 0x100, at + 1
    if first == 0xC2 or first == 0xC3:
        return first - 0xC2, at + 1
    if not 0xCC <= first <= 0xD3:
        return 0, BROKEN
    size = 1 << ((first - 0xCC) & 3)
    if at + 1 + size > end:
        return 0, BROKEN
    is_negative = first >= 0xD0 and data[at + 1] >= 0x80
    if first == 0xCF and data[at + 1] >= 0x80:
        return 0, BROKEN  # beyond 63 bits
    value = -1 if is_negative else 0
    for byte in range(size):
        value = (value << 8) | int(data[at + 1 + byte])
    return value, at + 1 + size


@compiled
def get_array_header(data: AnyArray, at: int, end: int) -> tuple[int, int]:
    """The length of an array of fewer than 65,536 values."""
    if at < 0 or at >= end:
        return 0, BROKEN
    first = int(data[at])
    if 0x90 <= first <= 0x9F:
        return first & 0x0F, at + 1
    if first == 0xDC and at + 3 <= end:
        return (int(data[at + 1]) << 8) | int(data[at + 2]), at + 3
    return 0, BROKEN
