"""What requests hold: so much together, until their work has ended, and nothing once answered."""

import asyncio
import gc
import threading
from typing import Any

import grpc
import httpx
import pytest
from tensorflow_serving.apis import predict_pb2

from models.server.buffered import Buffered
from models.server.config import single_model
from models.server.engine.manager import Manager
from models.server.engine.worker_threads import INLINE_BYTES, Lanes
from models.server.errors import ServingError
from tests.models.server.in_process import code_of, rest_client, serving
from tests.patience import patience

pytestmark = pytest.mark.keras


def request_of(size: int) -> bytes:
    """A request to the model, of somewhat more than ``size`` bytes."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].tensor_content = b"x" * size
    data: bytes = request.SerializeToString()
    return data


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


def test_large_requests_of_both_protocols_share_what_they_may_hold() -> None:
    limit = 4 * INLINE_BYTES
    lanes, buffered = Lanes(), Buffered(limit)
    body = b'{"instances": [1]}'.ljust(INLINE_BYTES + 1)

    async def large(channel: grpc.aio.Channel, client: httpx.AsyncClient) -> tuple[grpc.StatusCode, int]:
        answer = await client.post("/v1/models/m:predict", content=body)
        return await code_of(channel, request_of(INLINE_BYTES)), answer.status_code

    async def sent() -> None:
        async with serving(lanes, buffered) as channel, rest_client(lanes, buffered) as client:
            with buffered.request() as hold:
                hold(limit - 100)
                for _ in range(2):
                    assert await large(channel, client) == (grpc.StatusCode.RESOURCE_EXHAUSTED, 429)
                assert await code_of(channel, request_of(1)) is grpc.StatusCode.NOT_FOUND
            for _ in range(3):
                assert await large(channel, client) == (grpc.StatusCode.NOT_FOUND, 404)

    asyncio.run(sent())


class SlowManager(Manager):
    """A manager of no version that looks for one for as long as it is told."""

    def __init__(self) -> None:
        super().__init__(single_model("m", "/none"), 1.0)
        self.asked = threading.Semaphore(0)
        self.end = threading.Event()

    def lease(self, name: str, version: int | None = None, label: str | None = None) -> Any:
        self.asked.release()
        self.end.wait(patience(60))
        return super().lease(name, version, label)


def test_what_a_call_holds_is_held_until_its_work_has_ended_though_nobody_waits_any_more() -> None:
    manager, data = SlowManager(), request_of(INLINE_BYTES)
    buffered = Buffered(2 * len(data))

    async def given_up(channel: grpc.aio.Channel) -> None:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")(data)
        await asyncio.to_thread(manager.asked.acquire, timeout=patience(60))
        call.cancel()
        for _ in range(5):  # on the same connection, so that the server has heard of it
            with pytest.raises(grpc.aio.AioRpcError, match="Missing ModelSpec"):
                await channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus")(b"", timeout=patience(60))

    async def sent() -> None:
        async with serving(Lanes(), buffered, manager) as channel:
            for _ in range(2):
                await given_up(channel)
            assert await code_of(channel, data, seconds=5) is grpc.StatusCode.RESOURCE_EXHAUSTED
            manager.end.set()
            async with asyncio.timeout(patience(60)):
                while await code_of(channel, data) is not grpc.StatusCode.NOT_FOUND:
                    pass

    asyncio.run(sent())
