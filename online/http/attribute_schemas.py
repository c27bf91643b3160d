"""The attributes of a home's items as /openapi.json describes them: made from the home's schema."""

from typing import Any

from features.schema.attribute_values import MAX_FACET_CHARS, MAX_FACET_VALUES, MAX_NUMBER, MAX_TEXT
from features.schema.attributes import Attributes
from features.schema.declarations import Attribute
from features.types import MAX_ID

Schema = dict[str, Any]
"""A JSON Schema."""


def attribute_schemas(attributes: Attributes) -> dict[str, Schema]:
    """Name of an attribute → the JSON Schema of its values, null for none."""
    return {name: {"anyOf": [_values(each), {"type": "null"}]} for name, each in attributes.declared.items()}


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
