"""What requests over gRPC hold: so much together, off the event loop where they are large, and nothing once answered."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import grpc
import httpx
import pytest
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2, regression_pb2

from models.server.buffered import Buffered
from models.server.config import single_model
from models.server.engine.manager import Manager
from models.server.engine.worker_threads import INLINE_BYTES, Lanes
from models.server.errors import ServingError
from models.server.grpc_service import GrpcService
from models.server.metrics import Metrics
from models.server.rest import RestApp

pytestmark = pytest.mark.keras

T = TypeVar("T")
MANAGER = Manager(single_model("m", "/none"), 1.0)


@asynccontextmanager
async def serving(lanes: Lanes, buffered: Buffered) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server in this process, whose one model has no version."""
    server = GrpcService(MANAGER, Metrics(), lanes, buffered).server()
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


async def code_of(channel: grpc.aio.Channel, request: bytes, method: str = "Predict") -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")(request, timeout=60)
    return caught.value.code()


def errors() -> set[int]:
    """Which errors are held by anything."""
    return {id(each) for each in gc.get_objects() if isinstance(each, ServingError)}


def test_a_request_that_failed_is_not_held_until_the_next_collection() -> None:
    async def refused() -> list[grpc.StatusCode]:
        async with serving(Lanes(), Buffered()) as channel:
            return [await code_of(channel, request_of(size)) for size in (1, INLINE_BYTES)]

    gc.collect()
    gc.disable()
    before = errors()
    try:
        assert asyncio.run(refused()) == [grpc.StatusCode.NOT_FOUND] * 2
        assert errors() <= before
    finally:
        gc.enable()


class NotedLanes(Lanes):
    """Lanes that note the sizes for which they were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def run(self, size: int, work: Callable[[], T]) -> T:
        self.sizes.append(size)
        return await super().run(size, work)


def test_a_request_of_a_few_bytes_that_becomes_large_does_not_run_on_the_event_loop() -> None:
    lanes = NotedLanes()
    filled = predict_pb2.PredictRequest()
    text, numbers = filled.inputs["text"], filled.inputs["numbers"]
    text.dtype, numbers.dtype = types_pb2.DT_STRING, types_pb2.DT_FLOAT
    text.string_val.append(b"x" * 1000)
    text.tensor_shape.dim.add().size = 1000
    numbers.tensor_shape.dim.add().size = 1_000_000
    in_context = regression_pb2.RegressionRequest()
    listed = in_context.input.example_list_with_context
    listed.context.features.feature["f"].bytes_list.value.append(b"x" * 1000)
    listed.examples.extend([example_pb2.Example()] * 1000)

    async def sent() -> None:
        async with serving(lanes, Buffered()) as channel:
            assert await code_of(channel, filled.SerializeToString()) is grpc.StatusCode.INVALID_ARGUMENT
            for method in ("Regress", "Classify"):
                code = await code_of(channel, in_context.SerializeToString(), method)
                assert code is grpc.StatusCode.INVALID_ARGUMENT

    asyncio.run(sent())
    assert len(filled.SerializeToString()) + 999_000 + 4_000_000 < lanes.sizes[0]
    assert [size > 1_000_000 for size in lanes.sizes] == [True] * 3
    assert len(in_context.SerializeToString()) < INLINE_BYTES < 1_000_000


def test_large_requests_of_both_protocols_share_what_they_may_hold() -> None:
    limit = 2 * INLINE_BYTES
    lanes, buffered = Lanes(), Buffered(limit)
    rest = RestApp(MANAGER, Metrics(), lanes, buffered, 10, "", False)
    body = b'{"instances": [1]}'.ljust(INLINE_BYTES)

    async def large(channel: grpc.aio.Channel, client: httpx.AsyncClient) -> tuple[grpc.StatusCode, int]:
        answer = await client.post("/v1/models/m:predict", content=body)
        return await code_of(channel, request_of(INLINE_BYTES)), answer.status_code

    async def sent() -> None:
        async with (
            serving(lanes, buffered) as channel,
            httpx.AsyncClient(transport=httpx.ASGITransport(rest), base_url="http://m") as client,
        ):
            with buffered.request() as hold:
                hold(limit - 100)
                for _ in range(2):
                    assert await large(channel, client) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 429)
                assert await code_of(channel, request_of(1)) is grpc.StatusCode.NOT_FOUND
            for _ in range(3):
                assert await large(channel, client) == (grpc.StatusCode.NOT_FOUND, 404)

    asyncio.run(sent())
