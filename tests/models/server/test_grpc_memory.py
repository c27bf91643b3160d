"""What requests hold: so much together, until their work has ended, and nothing once answered."""

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
import psutil
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import model_management_pb2, predict_pb2
from tensorflow_serving.config import model_server_config_pb2

from features.http_bodies import STANDS_STILL
from models.server.buffered import MAX_REQUEST_BYTES, Buffered
from models.server.config import single_model
from models.server.engine.manager import Manager
from models.server.engine.worker_threads import INLINE_BYTES, Lanes
from models.server.errors import ServingError
from models.server.metrics import Metrics
from models.server.rest import RestApp
from tests.models.server.in_process import MANAGER, code_of, rest_client, serving
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


@contextmanager
def without_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_a_request_that_failed_is_not_held_until_the_next_collection() -> None:
    async def refused() -> list[grpc.StatusCode]:
        async with serving(Lanes(), Buffered()) as channel:
            return [await code_of(channel, request_of(size)) for size in (1, INLINE_BYTES)]

    with without_collections():
        before = errors()
        assert asyncio.run(refused()) == [grpc.StatusCode.NOT_FOUND] * 2
        assert errors() <= before


@pytest.mark.parametrize("limit", [16 * INLINE_BYTES, INLINE_BYTES], ids=["failed", "refused"])
def test_nor_are_the_bytes_in_which_it_came(limit: int) -> None:
    data = request_of(2 * INLINE_BYTES)

    async def refused() -> None:
        async with serving(Lanes(), Buffered(limit)) as channel:
            await code_of(channel, data)
            tracemalloc.start()
            for _ in range(5):
                await code_of(channel, data)
            assert tracemalloc.get_traced_memory()[0] < 4 * INLINE_BYTES

    with without_collections():
        try:
            asyncio.run(refused())
        finally:
            tracemalloc.stop()


def test_large_requests_of_both_protocols_share_what_they_may_hold() -> None:
    limit = 4 * INLINE_BYTES
    lanes, buffered = Lanes(), Buffered(limit)
    body = b'{"instances": [1]}'.ljust(INLINE_BYTES + 1)

    async def large(channel: grpc.aio.Channel, client: httpx.AsyncClient) -> tuple[grpc.StatusCode, int]:
        answer = await client.post("/v1/models/m:predict", content=body)
        return await code_of(channel, request_of(INLINE_BYTES)), answer.status_code

    async def sent() -> None:
        async with serving(lanes, buffered) as channel, rest_client(lanes, buffered) as client:
            with buffered.of_one() as others:
                others.hold(limit - 100)
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
        self.at_once: list[int] = []
        self._under_way = 0

    def lease(self, name: str, version: int | None = None, label: str | None = None) -> Any:
        self._under_way += 1
        self.at_once.append(self._under_way)
        self.asked.release()
        self.end.wait(patience(60))
        self._under_way -= 1
        return super().lease(name, version, label)


async def small_calls(channel: grpc.aio.Channel) -> None:
    """Some small calls: the server has heard of what was sent on the same connection before them."""
    for _ in range(5):
        with pytest.raises(grpc.aio.AioRpcError, match="Missing ModelSpec"):
            await channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus")(b"", timeout=patience(60))


def test_what_a_call_holds_is_held_until_its_work_has_ended_though_nobody_waits_any_more() -> None:
    manager, data = SlowManager(), request_of(INLINE_BYTES)
    buffered = Buffered(len(data))

    async def given_up(channel: grpc.aio.Channel) -> None:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")(data)
        await asyncio.to_thread(manager.asked.acquire, timeout=patience(60))
        call.cancel()
        await small_calls(channel)

    async def sent() -> None:
        async with serving(Lanes(), buffered, manager) as channel:
            try:
                await given_up(channel)
                assert await code_of(channel, data, seconds=5) is grpc.StatusCode.RESOURCE_EXHAUSTED
            finally:
                manager.end.set()
            async with asyncio.timeout(patience(60)):
                while await code_of(channel, data) is not grpc.StatusCode.NOT_FOUND:
                    pass

    asyncio.run(sent())


def test_large_requests_are_parsed_and_held_decoded_one_at_a_time_and_others_go_on_beside_them() -> None:
    manager, data = SlowManager(), request_of(INLINE_BYTES)
    lanes, buffered = Lanes(), Buffered()
    body = b'{"instances": [1]}'.ljust(INLINE_BYTES + 1)

    async def sent() -> None:
        async with serving(lanes, buffered, manager) as channel, rest_client(lanes, buffered, manager) as client:
            try:
                posts = [asyncio.create_task(client.post("/v1/models/m:predict", content=body)) for _ in range(2)]
                calls = [asyncio.create_task(code_of(channel, data)) for _ in range(2)]
                await asyncio.to_thread(manager.asked.acquire, timeout=patience(60))
                await small_calls(channel)
                async with asyncio.timeout(patience(5)):
                    small = await client.post("/v1/models/m:predict", content=b"[]")
                assert small.status_code == 400
            finally:
                manager.end.set()
            assert [answer.status_code for answer in await asyncio.gather(*posts)] == [404] * 2
            assert await asyncio.gather(*calls) == [grpc.StatusCode.NOT_FOUND] * 2

    asyncio.run(sent())
    assert manager.at_once == [1, 1, 1, 1]


class CountedLanes(Lanes):
    """Lanes that count what has come to wait for a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.came = 0

    async def run_in_background(self, work: Callable[[], Any]) -> Any:
        self.came += 1
        return await super().run_in_background(work)


def test_calls_that_wait_take_the_bytes_in_which_they_came_though_parsed_they_are_many_times_as_large() -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].dtype = types_pb2.DT_STRING
    request.inputs["x"].string_val.extend([b""] * (INLINE_BYTES // 2 - 100))
    request.inputs["x"].tensor_shape.dim.add().size = INLINE_BYTES
    manager, lanes, data, count = SlowManager(), CountedLanes(), request.SerializeToString(), 60
    assert len(data) <= INLINE_BYTES
    process = psutil.Process()

    async def sent() -> int:
        async with serving(lanes, Buffered(), manager) as channel:
            before = process.memory_info().rss
            calls = [asyncio.create_task(code_of(channel, data)) for _ in range(count)]
            try:
                async with asyncio.timeout(patience(60)):
                    while lanes.came < count:
                        await asyncio.sleep(0.01)
                held = process.memory_info().rss - before
            finally:
                manager.end.set()
            assert set(await asyncio.gather(*calls)) == {grpc.StatusCode.NOT_FOUND}
            return held

    held = asyncio.run(sent())
    assert held < 9 * count * len(data), "the client's copies are a part of it; parsed they are 16 times as large"


def with_empty(name: str, count: int) -> bytes:
    """A request to the model whose one tensor has so many empty messages in field ``name``; of a variant it has one, with as many
    empty tensors."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    tensor = request.inputs["x"]
    empty = tensor.variant_val.add().tensors if name == "variant_val" else getattr(tensor, name)
    empty.MergeFrom([type(empty.add())()] * count)
    data: bytes = request.SerializeToString()
    return data


@pytest.mark.parametrize("name", ["resource_handle_val", "variant_val"])
def test_what_no_served_tensor_has_is_held_as_it_came(name: str) -> None:
    manager, data = SlowManager(), with_empty(name, 2 * INLINE_BYTES)
    process = psutil.Process()

    async def sent() -> int:
        async with serving(Lanes(), Buffered(), manager) as channel:
            before = process.memory_info().rss
            call = asyncio.create_task(code_of(channel, data))
            try:
                assert await asyncio.to_thread(manager.asked.acquire, timeout=patience(60))
                held = process.memory_info().rss - before
            finally:
                manager.end.set()
            assert await call is grpc.StatusCode.NOT_FOUND
            return held

    held = asyncio.run(sent())
    assert held < 20 * len(data), "the client's copies are a part of it; parsed it is 55 times as large or more"


def test_a_reload_that_would_be_large_once_it_is_parsed_is_refused() -> None:
    def of_models(count: int) -> bytes:
        request = model_management_pb2.ReloadConfigRequest()
        request.config.model_config_list.config.extend([model_server_config_pb2.ModelConfig()] * count)
        data: bytes = request.SerializeToString()
        return data

    async def sent() -> None:
        async with serving(Lanes(), Buffered()) as channel:
            call = channel.unary_unary("/tensorflow.serving.ModelService/HandleReloadConfigRequest")
            with pytest.raises(grpc.aio.AioRpcError, match="a config has no name"):
                await call(of_models(INLINE_BYTES // 2 - 10), timeout=patience(60))
            with pytest.raises(grpc.aio.AioRpcError, match="too large: expected 524,288 bytes at most") as caught:
                await call(of_models(INLINE_BYTES // 2), timeout=patience(60))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    asyncio.run(sent())


def test_a_message_may_be_as_large_as_a_body_over_rest() -> None:
    async def sent() -> None:
        async with serving(Lanes(), Buffered()) as channel:
            largest = request_of(MAX_REQUEST_BYTES - 100)
            assert await code_of(channel, largest) is grpc.StatusCode.NOT_FOUND
            assert await code_of(channel, largest + b"\0" * 101) is grpc.StatusCode.RESOURCE_EXHAUSTED

    asyncio.run(sent())


def uploading(body: bytes) -> tuple[MutableMapping[str, Any], Callable[[], Awaitable[MutableMapping[str, Any]]]]:
    """A request over REST of which ``body`` has come, and no more comes."""
    scope = {"type": "http", "method": "POST", "raw_path": b"/v1/models/m:predict", "query_string": b"", "headers": []}
    parts = [{"type": "http.request", "body": body, "more_body": True}]

    async def receive() -> MutableMapping[str, Any]:
        return parts.pop() if parts else await asyncio.Future()

    return scope, receive


def test_bodies_that_stand_still_shut_out_no_whole_request() -> None:
    part = b" " * (INLINE_BYTES + 1)
    lanes, buffered = Lanes(), Buffered(4 * len(part))
    rest = RestApp(MANAGER, Metrics(), lanes, buffered, 10, "", False)
    answers: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    async def sent() -> None:
        async with serving(lanes, buffered) as channel, rest_client(lanes, buffered) as client:
            uploads = [asyncio.create_task(rest(*uploading(part), send)) for _ in range(8)]
            await asyncio.wait(uploads[2:])
            assert [message["status"] for message in answers[::2]] == [429] * 6
            assert b"too many large requests arriving at once: expected 1048578 bytes" in answers[1]["body"]
            small = await client.post("/v1/models/m:predict", content=b'{"instances": [1]}')
            assert small.status_code == 404
            assert await code_of(channel, request_of(INLINE_BYTES)) is grpc.StatusCode.NOT_FOUND
            assert not any(upload.done() for upload in uploads[:2])
            for upload in uploads[:2]:
                upload.cancel()
            await asyncio.wait(uploads)

    asyncio.run(sent())


def test_an_upload_that_stands_still_makes_room_for_another() -> None:
    part, clock = b" " * (INLINE_BYTES + 1), [0.0]
    rest = RestApp(MANAGER, Metrics(), Lanes(), Buffered(2 * len(part), lambda: clock[0]), 10, "", False)
    answers: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    async def sent() -> None:
        still = asyncio.create_task(rest(*uploading(part), send))
        await asyncio.sleep(0)
        clock[0] = STANDS_STILL
        other = asyncio.create_task(rest(*uploading(part), send))
        await asyncio.wait([still], timeout=patience(5))
        assert answers[0]["status"] == 429
        assert b"the body stood still" in answers[1]["body"]
        assert not other.done()
        other.cancel()
        await asyncio.wait([other])

    asyncio.run(sent())


def test_a_small_request_and_a_reload_find_room_however_much_is_held() -> None:
    lanes, buffered = Lanes(), Buffered(INLINE_BYTES + 1)
    reload = model_management_pb2.ReloadConfigRequest()

    async def sent() -> None:
        async with serving(lanes, buffered) as channel, rest_client(lanes, buffered) as client:
            with buffered.of_one() as others:
                others.hold(buffered.limit)
                answer = await client.post("/v1/models/m:predict", content=b'{"instances": [1]}')
                assert answer.status_code == 404
                call = channel.unary_unary("/tensorflow.serving.ModelService/HandleReloadConfigRequest")
                with pytest.raises(grpc.aio.AioRpcError, match="ServerModelConfig type not supported"):
                    await call(reload.SerializeToString(), timeout=patience(60))

    asyncio.run(sent())
