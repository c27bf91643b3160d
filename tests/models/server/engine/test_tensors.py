"""What a TensorProto becomes, and how large that is, which is known before."""

from typing import Any

import pytest
from tensorflow.core.framework import tensor_pb2, types_pb2

from models.server.engine.tensors import MAX_INPUT_BYTES, decoded_bytes, from_proto, from_protos
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
        tensor(types_pb2.DT_STRING, 10, string_val=[b"abc", b"xx"]).SerializeToString(): 10 * 8 + 8 * 2,
        tensor(types_pb2.DT_STRING, 1, string_val=[b"abc", b"xx"]).SerializeToString(): 8,
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
