"""Marks of the catalogue: records of `events` that say which version of the catalogue holds from there on in their partition.

The API that writes items puts a mark into every partition once the broker has acknowledged them. A mark has no key and belongs to
no user: `{"type": "catalogue", "items": k}`, k records of the topic `items` (`features.fold.catalogue`). Of two marks the larger
counts.
"""

from typing import Final, Literal

import msgspec

from features.contracts.events import EVENT_LIMIT, Whole
from features.contracts.json_contract import read_json
from features.errors import BadEvent


class _Mark(msgspec.Struct):
    type: Literal["catalogue"]
    items: Whole


_decoder: Final = msgspec.json.Decoder(_Mark)
_encoder: Final = msgspec.json.Encoder()


def write_mark(version: int) -> bytes:
    """The JSON of a mark."""
    return _encoder.encode(_Mark("catalogue", version))


def read_mark(value: bytes) -> int | None:
    """The version that a mark names; None for any other record.

    >>> read_mark(write_mark(7)), read_mark(b'{"type":"like"}')
    (7, None)
    """
    if len(value) > EVENT_LIMIT:
        return None
    try:
        return read_json(_decoder, value, "mark").items
    except BadEvent:
        return None
