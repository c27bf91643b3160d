"""The attributes of a home's items and users, and the context of its requests, as /openapi.json describes them: made from the
home's schema."""

from dataclasses import dataclass
from typing import Any

from features.schema import tables
from features.schema.attribute_values import MAX_FACET_CHARS, MAX_FACET_VALUES, MAX_NUMBER, MAX_TEXT
from features.schema.checked_fields import Fields
from features.schema.declarations import Attribute
from features.types import MAX_ID

Schema = dict[str, Any]
"""A JSON Schema."""


@dataclass(frozen=True)
class Described:
    """Name → the JSON Schema of its values, null for none. query: of the context as parameters, where there is no null."""

    items: dict[str, Schema]
    users: dict[str, Schema]
    context: dict[str, Schema]
    query: dict[str, Schema]


def described(schema: tables.Schema) -> Described:
    """What a home's schema declares."""
    query = {name: _values(each) for name, each in schema.context.declared.items()}
    return Described(_or_null(schema.items), _or_null(schema.users), _or_null(schema.context), query)


def _or_null(fields: Fields) -> dict[str, Schema]:
    return {name: {"anyOf": [_values(each), {"type": "null"}]} for name, each in fields.declared.items()}


def _values(attribute: Attribute) -> Schema:
    match attribute.type:
        case "facet":
            one = {"type": "string", "minLength": 1, "maxLength": MAX_FACET_CHARS}
            return {"type": "array", "items": one, "maxItems": MAX_FACET_VALUES} if attribute.many else one
        case "number":
            return {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
        case "time":
            return {"type": "integer", "minimum": 0, "maximum": MAX_ID}
        case "flag":
            return {"type": "boolean"}
        case "text":
            return {"type": "string", "maxLength": MAX_TEXT}
        case "vector":
            return _numbers(attribute.size)
        case "place":
            return _numbers(2)


def _numbers(count: int) -> Schema:
    return {"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count}
