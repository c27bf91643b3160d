"""What a TensorProto becomes, and how large that is, which is known before."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from tensorflow.core.framework import tensor_pb2, types_pb2

from models.server.engine.tensors import MAX_INPUT_BYTES, STRING_BYTES, decoded_bytes, from_proto, from_protos
from models.server.errors import Code, ServingError

pytestmark = pytest.mark.keras


def tensor(dtype: int, *sizes: int, **fields: Any) -> Any:
    proto = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in sizes:
        proto.tensor_shape.dim.add().size = size
    return proto


def test_how_large_the_array_of_a_tensor_is() -> None:
    sizes = {
        tensor(types_pb2.DT_FLOAT, 5, 4).SerializeToString(): 80,
        tensor(types_pb2.DT_INT64, 0, 4).SerializeToString(): 0,
        tensor(types_pb2.DT_STRING, 10, string_val=[b"abc", b"xx"]).SerializeToString(): 10 * STRING_BYTES + 8 * 2,
        tensor(types_pb2.DT_STRING, 1, string_val=[b"abc", b"xx"]).SerializeToString(): STRING_BYTES,
        tensor(types_pb2.DT_STRING, 5, tensor_content=b"\0" * 5).SerializeToString(): 5 * STRING_BYTES,
        tensor(types_pb2.DT_STRING, 6, tensor_content=b"\0" * 5).SerializeToString(): 0,
        tensor(types_pb2.DT_FLOAT, 4, tensor_content=b"x").SerializeToString(): 0,
        tensor(types_pb2.DT_FLOAT, -1).SerializeToString(): 0,
        tensor(types_pb2.DT_RESOURCE, 3).SerializeToString(): 0,
    }
    protos = {data: tensor_pb2.TensorProto.FromString(data) for data in sizes}
    assert {data: decoded_bytes({"x": proto}) for data, proto in protos.items()} == sizes
    assert decoded_bytes({str(data): proto for data, proto in protos.items()}) == sum(sizes.values())


def test_inputs_together_may_be_so_large() -> None:
    half = tensor(types_pb2.DT_UINT8, MAX_INPUT_BYTES // 2)
    assert from_protos({"a": half, "b": half})["b"].nbytes == MAX_INPUT_BYTES // 2
    with pytest.raises(
        ServingError, match="inputs a, b, c: a request may be decoded to 67108864 bytes at most, got "
    ) as caught:
        from_protos({"a": half, "b": half, "c": tensor(types_pb2.DT_UINT8, 1)})
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


def peak(read: Callable[[], Any]) -> int:
    """The most bytes that ``read`` holds at once."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("dtype", "fields"),
    [
        (types_pb2.DT_FLOAT, {"float_val": [1.5]}),
        (types_pb2.DT_INT64, {"int64_val": [1000]}),
        (types_pb2.DT_INT16, {"int_val": [1000]}),
        (types_pb2.DT_STRING, {"string_val": [b"abc"]}),
        (types_pb2.DT_COMPLEX64, {"scomplex_val": [1.5, 1.5]}),
    ],
)
def test_what_a_typed_field_has_beyond_its_shape_is_not_decoded(dtype: int, fields: dict[str, Any]) -> None:
    [(name, values)] = fields.items()
    long = tensor(dtype, 2, **{name: values * 100_000})
    assert from_proto(long, "x").tolist() == from_proto(tensor(dtype, 2, **{name: values * 2}), "x").tolist()
    assert peak(lambda: from_proto(long, "x")) < 100_000


@pytest.mark.parametrize(
    "proto",
    [
        tensor(types_pb2.DT_FLOAT, 100_000, float_val=[1.5] * 100_000),
        tensor(types_pb2.DT_INT64, 100_000, int64_val=[1000] * 100_000),
        tensor(types_pb2.DT_STRING, 100_000, string_val=[b"abc"] * 100_000),
        tensor(types_pb2.DT_STRING, 100_000, string_val=[b"abc"]),
        tensor(types_pb2.DT_STRING, 100_000, tensor_content=b"\3" * 100_000 + b"abc" * 100_000),
    ],
    ids=["floats", "whole numbers", "strings", "one string", "strings in content"],
)
def test_an_array_takes_about_what_was_counted_before(proto: Any) -> None:
    counted = decoded_bytes({"x": proto}) + len(proto.SerializeToString())
    assert peak(lambda: from_proto(proto, "x")) < 2 * counted


@pytest.mark.parametrize("given", [1_000_000, 999_999], ids=["all", "all but one"])
@pytest.mark.parametrize(
    ("dtype", "field", "each"),
    [
        (types_pb2.DT_INT8, "int_val", 1),
        (types_pb2.DT_UINT8, "int_val", 1),
        (types_pb2.DT_INT16, "int_val", 1),
        (types_pb2.DT_HALF, "half_val", 1),
        (types_pb2.DT_BOOL, "bool_val", 1),
        (types_pb2.DT_FLOAT, "float_val", 1),
        (types_pb2.DT_COMPLEX64, "scomplex_val", 2),
    ],
)
def test_numbers_take_what_was_counted_and_no_more(dtype: int, field: str, each: int, given: int) -> None:
    proto = tensor(dtype, 1_000_000, **{field: [1] * (given * each)})
    assert peak(lambda: from_proto(proto, "x")) < decoded_bytes({"x": proto}) + 200_000


def test_of_whole_numbers_the_lower_bits_count() -> None:
    assert from_proto(tensor(types_pb2.DT_INT8, 3, int_val=[300, -1]), "x").tolist() == [44, -1, -1]


def test_of_complex_numbers_pairs_count() -> None:
    assert from_proto(tensor(types_pb2.DT_COMPLEX64, 3, scomplex_val=[1, 2, 3, 4, 5]), "x").tolist() == [
        1 + 2j,
        3 + 4j,
        3 + 4j,
    ]


def test_strings_in_content_count() -> None:
    count = MAX_INPUT_BYTES // STRING_BYTES + 1
    with pytest.raises(ServingError, match="inputs x: a request may be decoded to ") as caught:
        from_protos({"x": tensor(types_pb2.DT_STRING, count, tensor_content=b"\0" * count)})
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("dtype", [types_pb2.DT_FLOAT, types_pb2.DT_STRING])
def test_content_is_as_large_as_its_shape_says(dtype: int) -> None:
    with pytest.raises(ServingError, match="tensor parsing error: x"):
        from_protos({"x": tensor(dtype, 2**40, tensor_content=b"\0" * 8)})


@pytest.mark.parametrize("dtype", [types_pb2.DT_HALF, types_pb2.DT_BFLOAT16])
def test_of_a_half_the_lower_16_bits_count(dtype: int) -> None:
    one = {types_pb2.DT_HALF: 0x3C00, types_pb2.DT_BFLOAT16: 0x3F80}[dtype]
    assert from_proto(tensor(dtype, 2, half_val=[one, one + (1 << 16)]), "x").tolist() == [1.0, 1.0]


@pytest.mark.parametrize("sizes", [(0, 2**62), (0, 2**62, 2**62), (2**62, 2**62), (-1,), (1,) * 33])
def test_a_shape_that_no_array_has(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ServingError, match="tensor parsing error: x") as caught:
        from_proto(tensor(types_pb2.DT_FLOAT, *sizes), "x")
    assert caught.value.code is Code.INVALID_ARGUMENT
