"""How many fields a message of gRPC may have, and which bytes are none of its fields."""

import asyncio

import grpc
import pytest
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2

from models.server.buffered import Buffered
from models.server.engine.wire import MAX_FIELDS, check_fields
from models.server.engine.worker_threads import INLINE_BYTES, Lanes
from models.server.errors import ServingError
from tests.models.server.in_process import serving
from tests.patience import patience

pytestmark = pytest.mark.keras

TEXT = "expected 1,000 at most"


def of_inputs(count: int, size: int = 1) -> bytes:
    request = predict_pb2.PredictRequest()
    for number in range(count):
        request.inputs[str(number)].tensor_content = b"\x12" * size
    data: bytes = request.SerializeToString()
    return data


@pytest.mark.parametrize("repeats", [2 * MAX_FIELDS, INLINE_BYTES], ids=["small", "large"])
@pytest.mark.parametrize(
    ("service", "method", "entry"),
    [
        ("PredictionService", "Predict", b"\x12\x00"),
        ("PredictionService", "MultiInference", b"\x0a\x00"),
        ("PredictionService", "GetModelMetadata", b"\x12\x00"),
        ("ModelService", "GetModelStatus", b"\x0a\x00"),
    ],
)
def test_a_message_of_many_empty_fields_is_refused_before_it_is_parsed(
    service: str, method: str, entry: bytes, repeats: int
) -> None:
    async def sent() -> None:
        async with serving(Lanes(), Buffered()) as channel:
            call = channel.unary_unary(f"/tensorflow.serving.{service}/{method}")
            # Its last byte is no message: parsed, it would be an INTERNAL error.
            with pytest.raises(grpc.aio.AioRpcError, match=TEXT) as caught:
                await call(entry * repeats + b"\x12", timeout=patience(60))
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    asyncio.run(sent())


def test_a_message_may_have_as_many_inputs_as_are_stated_however_long() -> None:
    for size in (1, 200, 20_000):
        check_fields(of_inputs(MAX_FIELDS, size))
        with pytest.raises(ServingError, match=TEXT):
            check_fields(of_inputs(MAX_FIELDS + 1, size))


@pytest.mark.parametrize(
    "before",
    [
        b"\x08\xff\x01",
        b"\x09" + b"\x12" * 8,
        b"\x0d" + b"\x12" * 4,
        b"\x0a\x02\x12\x00",
        b"\x53\x54",
        b"\x53",
        b"\x92\x00\x80\x00",
    ],
    ids=["number", "8 bytes", "4 bytes", "bytes", "group", "open group", "long numbers"],
)
def test_entries_are_counted_behind_any_other_field(before: bytes) -> None:
    with pytest.raises(ServingError, match=TEXT):
        check_fields(before + b"\x12\x00" * MAX_FIELDS)
    check_fields(before + b"\x12\x00" * (MAX_FIELDS - 2))


@pytest.mark.parametrize("data", [b"\x12", b"\x12\x05a", b"\x12" + b"\xff" * 20, b"\x0f", b"\xff" * 11, b"\x08\x80"])
def test_what_is_no_message_is_left_to_its_parser(data: bytes) -> None:
    check_fields(data)
    with pytest.raises(DecodeError):
        predict_pb2.PredictRequest.FromString(data)
