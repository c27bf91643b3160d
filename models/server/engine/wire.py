"""What is looked at in a message of gRPC before it is parsed: how many fields it has, nested ones not counted.

An empty entry of a map is two bytes on the wire, and parsed some 180.
"""

from models.server.errors import invalid

MAX_FIELDS = 1_000
"""Of one message: its inputs, and names of outputs, are tens. Each entry of a map or a list is a field of its own."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def check_fields(data: bytes) -> None:
    """Raises INVALID_ARGUMENT for a message of more than MAX_FIELDS fields; what is no message is left to its parser.

    The fields of a group count as its message's: no message of the service has one.
    """
    at = fields = 0
    try:
        while at < len(data):
            fields += 1
            if fields > MAX_FIELDS:
                raise invalid(
                    f"the request has too many inputs or other fields: expected {MAX_FIELDS:,} at most, and {len(data):,} bytes "
                    f"with more came"
                )
            tag, at = _varint(data, at)
            kind = tag & 7
            if kind == _VARINT:
                _, at = _varint(data, at)
            elif kind == _LENGTH:
                size, at = _varint(data, at)
                at += size
            elif kind in (_FIXED64, _FIXED32):
                at += 8 if kind == _FIXED64 else 4
    except IndexError:
        return


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at ``at``, and where it ends. Raises IndexError if it does not, as the parser takes no longer ones."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise IndexError
