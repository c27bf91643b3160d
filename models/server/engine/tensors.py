"""TensorProto and numpy arrays, both ways.

Requests come in typed fields or as ``tensor_content`` (little-endian, rows first); responses leave in typed fields, as
TensorFlow Serving writes them.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from features.arrays import AnyArray
from models.server.errors import Code, ServingError, invalid

MAX_INPUT_BYTES = 64 * 1024 * 1024
"""What a request becomes at most once it is decoded: a shape of a few bytes can demand any amount of memory."""

STRING_BYTES = np.dtype(object).itemsize + sys.getsizeof(b"")
"""What a string takes in an array beside its characters, which many strings of a large request are without."""

_MAX_RANK = 32
_AT_ONCE = 10_000
"""Values of a typed field that are read or written in a step, which holds the interpreter until it is done and makes a Python
object of each."""
_STORED: Final[dict[str, np.dtype[Any]]] = {
    "half_val": np.dtype(np.uint16),
    "scomplex_val": np.dtype(np.float32),
    "dcomplex_val": np.dtype(np.float64),
}
"""What each value of a typed field is in memory, where that is no element of the array."""
_WIRE: Final[dict[str, np.dtype[Any]]] = {"half_val": np.dtype(np.int32), "int_val": np.dtype(np.int32)}
"""What each value of a typed field is read as, where it may be too large for its place in memory: its lower bits count."""


@dataclass(frozen=True)
class DType:
    """One element type: its number in protobuf, its name in messages, its numpy type and its typed field."""

    enum: int
    name: str
    numpy: np.dtype[Any]
    field: str


def _dtype(enum: int, field: str, name: str | None = None) -> DType:
    known = tf.dtypes.as_dtype(enum)
    return DType(enum, name or known.name, np.dtype(known.as_numpy_dtype), field)


_ALL = (
    _dtype(types_pb2.DT_FLOAT, "float_val", "float"),
    _dtype(types_pb2.DT_DOUBLE, "double_val", "double"),
    _dtype(types_pb2.DT_HALF, "half_val", "half"),
    _dtype(types_pb2.DT_BFLOAT16, "half_val"),
    _dtype(types_pb2.DT_INT8, "int_val"),
    _dtype(types_pb2.DT_INT16, "int_val"),
    _dtype(types_pb2.DT_INT32, "int_val"),
    _dtype(types_pb2.DT_INT64, "int64_val"),
    _dtype(types_pb2.DT_UINT8, "int_val"),
    _dtype(types_pb2.DT_UINT16, "int_val"),
    _dtype(types_pb2.DT_UINT32, "uint32_val"),
    _dtype(types_pb2.DT_UINT64, "uint64_val"),
    _dtype(types_pb2.DT_BOOL, "bool_val"),
    _dtype(types_pb2.DT_STRING, "string_val"),
    _dtype(types_pb2.DT_COMPLEX64, "scomplex_val"),
    _dtype(types_pb2.DT_COMPLEX128, "dcomplex_val"),
)
_BY_ENUM = {dtype.enum: dtype for dtype in _ALL}
_BY_NUMPY = {dtype.numpy: dtype for dtype in _ALL}


def dtype_of(enum: int) -> DType:
    """The element type numbered ``enum``. Raises UNIMPLEMENTED for those that never cross the wire (resources)."""
    try:
        return _BY_ENUM[enum]
    except KeyError:
        name = types_pb2.DataType.Name(enum) if enum in types_pb2.DataType.values() else str(enum)
        raise ServingError(Code.UNIMPLEMENTED, f"tensors of type {name} are not served") from None


def dtype_of_array(array: AnyArray) -> DType:
    """The element type of a fetched array."""
    return _BY_NUMPY[array.dtype]


def decoded_bytes(protos: Mapping[str, Any]) -> int:
    """The bytes that the arrays of these ``TensorProto`` take: elements of typed fields, of which a few may stand for any number,
    and of strings, with those that are repeated. Numbers in ``tensor_content`` are read where they lie, and what ``from_proto``
    refuses takes none.
    """
    return sum(map(_decoded_bytes, protos.values()))


def _decoded_bytes(proto: Any) -> int:
    dtype = _BY_ENUM.get(proto.dtype)
    shape = _shape(proto, dtype) if dtype else None
    if dtype is None or shape is None:
        return 0
    count, content, strings = math.prod(shape), proto.tensor_content, proto.string_val
    if dtype.enum != types_pb2.DT_STRING:
        return 0 if content else count * dtype.numpy.itemsize
    if content:
        return count * STRING_BYTES if count <= len(content) else 0
    repeated = len(strings[-1]) * max(count - len(strings), 0) if strings else 0
    return count * STRING_BYTES + repeated


def check_decoded(size: int, what: str) -> None:
    """Raise RESOURCE_EXHAUSTED if that many bytes are too many for one request; ``what`` names its part in the error."""
    if size > MAX_INPUT_BYTES:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED, f"{what}: a request may be decoded to {MAX_INPUT_BYTES} bytes at most, got {size}"
        )


def from_protos(protos: Mapping[str, Any]) -> dict[str, AnyArray]:
    """The arrays of a request's inputs by alias. See ``from_proto``.

    Raises RESOURCE_EXHAUSTED, with nothing decoded, if all of them together have more than MAX_INPUT_BYTES.
    """
    check_decoded(decoded_bytes(protos), f"inputs {', '.join(sorted(protos))}")
    return {alias: from_proto(proto, alias) for alias, proto in protos.items()}


def from_proto(proto: Any, alias: str) -> AnyArray:
    """The array a ``TensorProto`` stands for; ``alias`` names it in the error.

    A typed field shorter than its shape repeats its last value, an empty one means zeros, a longer one is cut: so
    TensorFlow reads them. Raises INVALID_ARGUMENT when shape and content do not agree, or no array has the shape.
    """
    if proto.dtype not in types_pb2.DataType.values() or proto.dtype == types_pb2.DT_INVALID:
        raise _unparsed(alias)
    dtype = dtype_of(proto.dtype)
    shape = _shape(proto, dtype)
    if shape is None:
        raise _unparsed(alias)
    count = math.prod(shape)
    if content := proto.tensor_content:
        return _from_content(content, dtype, shape, count, alias)
    return _from_field(getattr(proto, dtype.field), dtype, count).reshape(shape)


def _shape(proto: Any, dtype: DType) -> tuple[int, ...] | None:
    """The shape of a ``TensorProto``; None if it is open, or no array of ``dtype`` has it."""
    dims = proto.tensor_shape.dim
    if proto.tensor_shape.unknown_rank or len(dims) > _MAX_RANK:
        return None
    shape = tuple(dim.size for dim in dims)
    is_possible = (
        all(size >= 0 for size in shape) and math.prod(filter(None, shape)) <= sys.maxsize // dtype.numpy.itemsize
    )
    return shape if is_possible else None


def _from_field(values: Any, dtype: DType, count: int) -> AnyArray:
    """``count`` elements from a typed field, as ``from_proto`` says, with nothing as large as they are on the way."""
    array = np.empty(count, dtype.numpy)
    flat: AnyArray = array.view(_STORED.get(dtype.field, array.dtype))
    per_element = array.itemsize // flat.itemsize
    given = min(count, len(values) // per_element)
    read, limit = iter(values), given * per_element
    for at in range(0, limit, _AT_ONCE):
        part = flat[at : min(at + _AT_ONCE, limit)]
        part[:] = np.fromiter(islice(read, part.size), _WIRE.get(dtype.field, flat.dtype), part.size)
    blank: Any = b"" if dtype.enum == types_pb2.DT_STRING else 0
    array[given:] = array[given - 1] if given else blank
    return array


def _from_content(content: bytes, dtype: DType, shape: tuple[int, ...], count: int, alias: str) -> AnyArray:
    if dtype.enum == types_pb2.DT_STRING:
        strings = _split_strings(content, count, alias)
        flat = np.empty(count, dtype=object)
        flat[:] = strings
        return flat.reshape(shape)
    if len(content) != count * dtype.numpy.itemsize:
        raise _unparsed(alias)
    return np.frombuffer(content, dtype=dtype.numpy).reshape(shape)


def _split_strings(content: bytes, count: int, alias: str) -> list[bytes]:
    """Strings as ``tensor_content``: ``count`` varint lengths, then the bytes of all of them."""
    if count > len(content):
        raise _unparsed(alias)
    lengths, at = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            if at >= len(content) or shift > 28:
                raise _unparsed(alias)
            byte = content[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(length)
    if at + sum(lengths) != len(content):
        raise _unparsed(alias)
    strings = []
    for length in lengths:
        strings.append(content[at : at + length])
        at += length
    return strings


def _unparsed(alias: str) -> ServingError:
    return invalid(f"tensor parsing error: {alias}")


def fill_proto(array: AnyArray, proto: Any) -> None:
    """Write ``array`` into an empty ``TensorProto``: type, shape, and one typed value an element."""
    dtype = dtype_of_array(array)
    proto.dtype = dtype.enum
    fill_shape(array.shape, proto.tensor_shape)
    flat = array.reshape(-1)
    if dtype.field == "half_val":
        flat = flat.view(np.uint16)
    elif dtype.field.endswith("complex_val"):
        flat = flat.view(flat.real.dtype)
    field = getattr(proto, dtype.field)
    for at in range(0, flat.size, _AT_ONCE):
        values: list[Any] = flat[at : at + _AT_ONCE].tolist()
        if dtype.enum == types_pb2.DT_STRING:
            values = [value.encode() if isinstance(value, str) else value for value in values]
        field.extend(values)


def fill_shape(shape: Sequence[int], proto: Any) -> None:
    """Write ``shape`` into an empty ``TensorShapeProto``; a scalar has no dimensions but a shape all the same."""
    proto.SetInParent()
    for size in shape:
        proto.dim.add().size = size
