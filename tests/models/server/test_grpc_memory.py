"""What requests over gRPC hold: nothing once they are answered."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2

from models.server.config import single_model
from models.server.engine.manager import Manager
from models.server.engine.worker_threads import INLINE_BYTES, Lanes
from models.server.errors import ServingError
from models.server.grpc_service import GrpcService
from models.server.metrics import Metrics

pytestmark = pytest.mark.keras

PREDICT = "/tensorflow.serving.PredictionService/Predict"


@asynccontextmanager
async def serving() -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server in this process, whose one model has no version."""
    lanes = Lanes()
    server = GrpcService(Manager(single_model("m", "/none"), 1.0), Metrics(), lanes).server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)
        lanes.close()


def request_of(size: int) -> bytes:
    """A request to the model, of somewhat more than ``size`` bytes."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].tensor_content = b"x" * size
    data: bytes = request.SerializeToString()
    return data


async def code_of(channel: grpc.aio.Channel, request: bytes) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(PREDICT)(request, timeout=60)
    return caught.value.code()


def errors() -> set[int]:
    """Which errors are held by anything."""
    return {id(each) for each in gc.get_objects() if isinstance(each, ServingError)}


def test_a_request_that_failed_is_not_held_until_the_next_collection() -> None:
    async def refused() -> list[grpc.StatusCode]:
        async with serving() as channel:
            return [await code_of(channel, request_of(size)) for size in (1, INLINE_BYTES)]

    gc.collect()
    gc.disable()
    before = errors()
    try:
        assert asyncio.run(refused()) == [grpc.StatusCode.NOT_FOUND] * 2
        assert errors() <= before
    finally:
        gc.enable()
