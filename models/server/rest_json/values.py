"""JSON values to arrays of one element type.

A list is first tried in bulk by numpy, which is right whenever it answers; whatever it is unsure of goes value by value
through ``Column``, which knows every error. Nothing is cast silently: integers are fine for floats, nothing else
changes its kind.
"""

import base64
import binascii
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np

from features.arrays import AnyArray
from models.server.engine.tensors import DType
from models.server.errors import Code, ServingError, invalid
from models.server.rest_json.error_text import describe, format_error, type_error

MAX_RANK = 32  # numpy's own bound
_BOUNDS: dict[str, tuple[int, int]] = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
_FLOATS = ("float", "double")
_JSON_TYPES = (*_BOUNDS, *_FLOATS, "bool", "string")


def in_bulk(values: list[Any], dtype: DType) -> AnyArray | None:
    """``values`` as one array of ``dtype`` if they are a full, flat or nested list of its kind; None if unsure."""
    flattened = _flat(values)
    if flattened is None:
        return None
    flat, shape, kinds = flattened
    if dtype.name == "string":
        return _strings(flat).reshape(shape) if kinds <= {str} else None
    if not (kinds <= {int, float} or kinds == {bool}):  # numpy would take True for 1 and "1.5" for 1.5
        return None
    array = np.array(flat).reshape(shape)
    if dtype.name in _FLOATS and array.dtype.kind in "iuf":
        with np.errstate(over="ignore"):  # 1e39 is infinite as a float, there as here
            return array.astype(np.float64, copy=False).astype(dtype.numpy, copy=False)
    if dtype.name in _BOUNDS and (array.dtype.kind in "iu" or not array.size):
        low, high = _BOUNDS[dtype.name]
        fits = not array.size or (int(array.min()) >= low and int(array.max()) <= high)
        return array.astype(dtype.numpy, copy=False) if fits else None
    if dtype.name == "bool" and (array.dtype.kind == "b" or not array.size):
        return array.astype(np.bool_, copy=False)
    return None


def _flat(values: list[Any]) -> tuple[list[Any], tuple[int, ...], set[type]] | None:
    """Lists in lists to one list, its shape and the types in it; None if the lists have different lengths or depths."""
    shape = [len(values)]
    kinds = set(map(type, values))
    while kinds == {list} and len(shape) < MAX_RANK:
        lengths = set(map(len, values))
        if len(lengths) != 1:
            return None
        shape += lengths
        values = list(chain.from_iterable(values))
        kinds = set(map(type, values))
    return None if list in kinds else (values, tuple(shape), kinds)


def _strings(values: list[str]) -> AnyArray:
    array = np.empty(len(values), dtype=object)
    array[:] = [value.encode("utf-8", "surrogateescape") for value in values]
    return array


def is_base64(value: Any) -> bool:
    """Whether ``value`` is an object that stands for bytes: {"b64": text} and nothing else."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_base64(value: Mapping[str, str]) -> bytes:
    """The bytes of a {"b64": text} object; padding may be left out."""
    text = value["b64"].rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


class Column:
    """Values for one tensor, example after example; the first one sets size and shape for the others."""

    def __init__(self, dtype: DType) -> None:
        self._dtype = dtype
        self._values: list[Any] = []
        self._shape: tuple[int, ...] | None = None
        self._size = 0
        self._count = 0

    def add(self, value: Any) -> None:
        """Take one example's value, a scalar or lists in lists. Raises INVALID_ARGUMENT if anything about it is off."""
        shape = _shape(value)
        before = len(self._values)
        self._fill(value, 0, shape)
        size = len(self._values) - before
        if self._shape is None:
            self._shape, self._size = shape, size
        elif size != self._size:
            raise invalid(f"Expecting tensor size: {self._size} but got: {size}")
        elif shape != self._shape:
            raise invalid(f"Expecting shape {_shape_text(self._shape)} but got: {_shape_text(shape)}")
        self._count += 1

    def batch(self) -> AnyArray:
        """All examples as one array, [examples, …]."""
        if self._dtype.name == "string":
            flat: AnyArray = np.empty(len(self._values), dtype=object)
            flat[:] = self._values
        else:
            with np.errstate(over="ignore"):
                flat = np.array(self._values, dtype=self._dtype.numpy)
        return flat.reshape((self._count, *(self._shape or ())))

    def _fill(self, value: Any, level: int, shape: tuple[int, ...]) -> None:
        if not isinstance(value, list):
            if level != len(shape):
                raise invalid(
                    f"JSON Value: {describe(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                    f"Expected at level: {len(shape)}"
                )
            self._values.append(_leaf(value, self._dtype))
            return
        if level >= len(shape):
            raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
        if len(value) != shape[level]:
            raise invalid(
                f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
            )
        for item in value:
            self._fill(item, level + 1, shape)


def _shape(value: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        if len(shape) >= MAX_RANK:
            raise invalid(f"JSON lists nested deeper than a tensor's {MAX_RANK - 1} dimensions")
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _leaf(value: Any, dtype: DType) -> Any:
    name = dtype.name
    if name not in _JSON_TYPES:
        raise ServingError(Code.UNIMPLEMENTED, f"Conversion of JSON Value: {describe(value)} to type: {name}")
    if name == "string":
        if isinstance(value, dict):
            if not is_base64(value):
                raise format_error(value, "not formatted correctly for base64 data")
            return decode_base64(value)
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
    elif name == "bool":
        if isinstance(value, bool):
            return value
    elif name in _FLOATS:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                return float("inf") if value > 0 else float("-inf")
    elif isinstance(value, int) and not isinstance(value, bool):
        low, high = _BOUNDS[name]
        if low <= value <= high:
            return value
    raise type_error(value, name)
