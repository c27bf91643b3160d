"""The body of a classify or regress request: a JSON object to tf.Examples.

A feature's kind follows its values: strings and {"b64": …} are bytes, whole numbers and booleans int64, other numbers
float. One feature holds one kind.
"""

from typing import Any

import numpy as np

from models.server.engine.tensors import STRING_BYTES
from models.server.errors import invalid
from models.server.rest_json.error_text import format_error, type_name
from models.server.rest_json.predict import signature_name
from models.server.rest_json.values import decode_base64, is_base64

_INT64_MAX = 2**63 - 1
_UINT64_MAX = 2**64 - 1


def fill_request(document: dict[str, Any], request: Any) -> None:
    """Write the signature name, the context and the examples of ``document`` into a classify or regress request.

    Raises INVALID_ARGUMENT, naming the feature.
    """
    request.model_spec.signature_name = signature_name(document)
    target = request.input.example_list
    if "context" in document:
        target = request.input.example_list_with_context
        _fill_example(document["context"], target.context)
    if "examples" not in document:
        raise format_error(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document["examples"]
    if not isinstance(examples, list):
        raise format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise format_error(document, "'examples' value is an empty array")
    for example in examples:
        _fill_example(example, target.examples.add())


def filled_bytes(body: bytes) -> int:
    """The bytes for which ``body`` counts before it is read: values are written one by one, each of which takes its time."""
    return len(body) + body.count(b",") * STRING_BYTES


def _fill_example(value: Any, example: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {type_name(value)}")
    example.SetInParent()
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add(item, name, feature)


def _add(value: Any, name: str, feature: Any) -> None:
    """Append one value to the list of its kind. Booleans are int64 0 and 1."""
    kind, plain = _kind_of(value, name)
    if (present := feature.WhichOneof("kind") or kind) != kind:
        raise invalid(f"Unexpected element type in feature: {name} expecting type: {present.removesuffix('_list')}")
    getattr(feature, kind).value.append(plain)


def _kind_of(value: Any, name: str) -> tuple[str, Any]:
    """The field of a Feature that holds ``value``, and the value as it is written there."""
    if isinstance(value, str):
        return "bytes_list", value.encode("utf-8", "surrogateescape")
    if is_base64(value):
        return "bytes_list", decode_base64(value)
    if isinstance(value, bool):
        return "int64_list", int(value)
    if isinstance(value, int) and -_INT64_MAX - 1 <= value <= _UINT64_MAX:
        if value > _INT64_MAX:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        return "int64_list", value
    if isinstance(value, int | float):
        with np.errstate(over="ignore"):
            return "float_list", float(np.float32(value))
    raise invalid(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")
