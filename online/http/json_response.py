"""JSON answers, encoded by msgspec: the same types make the answers and describe them in /openapi.json."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from features.ids import OuterId

_encoder = msgspec.json.Encoder()


class WithAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer that says what an item is: in JSON, what its field `attributes` holds stands among the others."""


class ItemOutline(WithAttributes, frozen=True, kw_only=True):
    """What an item is: id, title, image where it has one, and the attributes that `fields` names."""

    item_id: OuterId
    title: str
    image_url: str | UnsetType = UNSET
    attributes: dict[str, Any]


def encode_answer(content: Any) -> bytes:
    """The JSON of an answer."""
    return _encoder.encode(_lifted(content))


def _lifted(value: Any) -> Any:
    """A struct as a dict, where it or what it lists has attributes."""
    if isinstance(value, list):
        return [_lifted(each) for each in value]
    if not isinstance(value, msgspec.Struct):
        return value
    fields: dict[str, Any] = {}
    for name in value.__struct_fields__:
        field = getattr(value, name)
        if name == "attributes" and isinstance(value, WithAttributes):
            fields |= field
        elif field is not UNSET:
            fields[name] = _lifted(field)
    return fields


class JsonResponse(Response):
    """A JSON response of a struct, or of any other value that msgspec encodes."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode_answer(content)


class JsonBytes(Response):
    """A response whose JSON is encoded already."""

    media_type = "application/json"
