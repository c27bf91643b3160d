"""Answers as JSON, laid out and rounded as TensorFlow Serving writes them.

A float is written with six digits if those read back as the same float, else with all it has (nine, for a double
seventeen); NaN and the infinities by name. Strings of an output whose name ends in ``_bytes`` are {"b64": …}.
Row answers keep an example on one line; columnar ones give every value a line.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from features.arrays import AnyArray
from models.server.engine.tensors import dtype_of_array
from models.server.errors import Code, ServingError, invalid
from models.server.rest_json.error_text import INDENT, quote
from models.server.rest_json.predict import Format

_CHUNK = 10_000
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")


def error_body(message: str) -> bytes:
    """The body of an error response."""
    return _encode(_object([("error", quote(message))], 0))


def predict_body(outputs: Mapping[str, AnyArray], layout: Format) -> bytes:
    """The answer to predict. Raises INVALID_ARGUMENT for outputs that can't be laid out by example."""
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    text = _rows(outputs) if layout is Format.ROW else _columns(outputs)
    return _encode(_object([(layout.value, text)], 0))


def classify_body(result: Any) -> bytes:
    """The answer to classify: a list of [label, score] an example."""
    if not result.classifications:
        raise invalid("Cannot convert empty ClassificationResults to JSON")
    rows = []
    for classification in result.classifications:
        scores = float_texts(np.array([entry.score for entry in classification.classes], dtype=np.float32))
        pairs = (
            f"[{quote(entry.label)}, {score}]" for entry, score in zip(classification.classes, scores, strict=True)
        )
        rows.append(f"[{', '.join(pairs)}]")
    return _encode(_object([("results", _one_line_items(rows))], 0))


def regress_body(result: Any) -> bytes:
    """The answer to regress: a number an example."""
    if not result.regressions:
        raise invalid("Cannot convert empty RegressionResults to JSON")
    values = float_texts(np.array([regression.value for regression in result.regressions], dtype=np.float32))
    return _encode(_object([("results", f"[{', '.join(values)}]")], 0))


def _rows(outputs: Mapping[str, AnyArray]) -> str:
    count = -1
    for alias, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {alias} has no shape information ")
        if count not in (-1, array.shape[0]):
            raise invalid(f"Tensor name: {alias} has inconsistent batch size: {array.shape[0]} expecting: {count}")
        count = array.shape[0]
    if len(outputs) == 1:
        [(alias, array)] = outputs.items()
        return _one_line_items(_folded(_leaves(alias, array, level=1 + array.ndim), array.shape[1:], count))
    columns = {
        alias: _folded(_leaves(alias, array, level=2 + array.ndim), array.shape[1:], count)
        for alias, array in outputs.items()
    }
    rows = [_object([(alias, column[row]) for alias, column in columns.items()], 2) for row in range(count)]
    return _lines(rows, 1)


def _columns(outputs: Mapping[str, AnyArray]) -> str:
    if len(outputs) == 1:
        [(alias, array)] = outputs.items()
        return _column(alias, array, 1)
    return _object([(alias, _column(alias, array, 2)) for alias, array in outputs.items()], 1)


def _column(alias: str, array: AnyArray, level: int) -> str:
    """One whole array, every value on its own line; ``level`` is how many containers it stands in."""
    items = _leaves(alias, array, level + array.ndim)
    for axis in reversed(range(array.ndim)):
        size = array.shape[axis]
        groups = int(np.prod(array.shape[:axis], dtype=np.int64))
        items = [_lines(items[at * size : (at + 1) * size], level + axis) for at in range(groups)]
    return items[0]


def _folded(leaves: list[str], shape: tuple[int, ...], count: int) -> list[str]:
    """The texts of ``count`` examples of ``shape`` out of those of all their values, each on one line."""
    items = leaves
    for axis in reversed(range(len(shape))):
        size = shape[axis]
        groups = count * int(np.prod(shape[:axis], dtype=np.int64))
        items = [f"[{', '.join(items[at * size : (at + 1) * size])}]" for at in range(groups)]
    return items


def _leaves(alias: str, array: AnyArray, level: int) -> list[str]:
    """The texts of all values of an array, in row order; ``level`` is how many containers they stand in."""
    name = dtype_of_array(array).name
    flat = array.reshape(-1)
    if name in ("float", "double"):
        return float_texts(flat)
    if name in _INTEGERS:
        return list(map(str, flat.tolist()))
    if name == "bool":
        return ["true" if value else "false" for value in flat.tolist()]
    if name == "string":
        if alias.endswith("_bytes"):
            return [_object([("b64", f'"{base64.b64encode(value).decode()}"')], level) for value in flat]
        return [quote(value.decode("utf-8", "surrogateescape")) for value in flat]
    raise ServingError(Code.INVALID_ARGUMENT, f"Failed to write JSON value for tensor type: {name}")


def float_texts(flat: AnyArray) -> list[str]:
    """The texts of a one-dimensional array of floats or doubles."""
    if flat.size > _CHUNK:  # each step below holds the interpreter until it is done
        return [text for at in range(0, flat.size, _CHUNK) for text in float_texts(flat[at : at + _CHUNK])]
    values = flat.tolist()
    count = len(values)
    full_format = "%.9g " if flat.dtype == np.float32 else "%.17g "
    short = ("%g " * count % tuple(values)).split()
    full = (full_format * count % tuple(values)).split()
    with np.errstate(over="ignore"):
        back = np.array(list(map(float, short)), dtype=np.float64).astype(flat.dtype)
    texts = [a if same else b for a, b, same in zip(short, full, (back == flat).tolist(), strict=True)]
    if not np.isfinite(flat).all():
        names = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
        texts = [names.get(text, text) for text in texts]
        return [text if "." in text or "e" in text or text[-1].isalpha() else text + ".0" for text in texts]
    return [text if "." in text or "e" in text else text + ".0" for text in texts]


def _object(members: list[tuple[str, str]], level: int) -> str:
    """An object that stands in ``level`` containers, a member a line."""
    inner = "\n" + INDENT * (level + 1)
    body = ",".join(f"{inner}{quote(name)}: {text}" for name, text in members)
    return f"{{{body}\n{INDENT * level}}}"


def _lines(items: list[str], level: int) -> str:
    """A list that stands in ``level`` containers, an item a line."""
    if not items:
        return "[]"
    inner = "\n" + INDENT * (level + 1)
    return f"[{inner}{f',{inner}'.join(items)}\n{INDENT * level}]"


def _one_line_items(items: list[str]) -> str:
    """The outer list of a row answer: items in one line, the bracket that closes it on the next."""
    return f"[{', '.join(items)}\n{INDENT}]" if items else "[]"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
