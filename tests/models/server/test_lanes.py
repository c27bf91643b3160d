"""Which requests run beside the event loop, and what stays of those for which nobody waits any more."""

import asyncio
import gzip
import json
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import classification_pb2, predict_pb2

from models.server.buffered import Buffered
from models.server.config import single_model
from models.server.engine.manager import Manager
from models.server.engine.worker_threads import INLINE_BYTES, Lanes
from tests.models.server.in_process import code_of, rest_client, serving
from tests.patience import patience

pytestmark = pytest.mark.keras


class NotingManager(Manager):
    """A manager of no version that notes on which threads it is asked for one."""

    def __init__(self) -> None:
        super().__init__(single_model("m", "/none"), 1.0)
        self.on_loop: list[bool] = []

    def lease(self, name: str, version: int | None = None, label: str | None = None) -> Any:
        self.on_loop.append(threading.current_thread() is threading.main_thread())
        return super().lease(name, version, label)


def filled() -> bytes:
    """A tensor that repeats one string and one that repeats a zero."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    text, numbers = request.inputs["text"], request.inputs["numbers"]
    text.dtype, numbers.dtype = types_pb2.DT_STRING, types_pb2.DT_FLOAT
    text.string_val.append(b"x" * 100)
    for tensor in (text, numbers):
        tensor.tensor_shape.dim.add().size = 5000
    data: bytes = request.SerializeToString()
    return data


def strings_in_content(count: int) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].dtype = types_pb2.DT_STRING
    request.inputs["x"].tensor_shape.dim.add().size = count
    request.inputs["x"].tensor_content = b"\0" * count
    data: bytes = request.SerializeToString()
    return data


def listed(count: int, context: bytes = b"") -> bytes:
    """Empty examples, after ``context`` if there is one."""
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "m"
    examples = request.input.example_list_with_context if context else request.input.example_list
    examples.examples.extend([example_pb2.Example()] * count)
    if context:
        request.input.example_list_with_context.context.features.feature["f"].bytes_list.value.append(context)
    data: bytes = request.SerializeToString()
    return data


@pytest.mark.parametrize(
    ("method", "request_data", "large"),
    [
        ("Predict", filled(), True),
        ("Predict", strings_in_content(20_000), True),
        ("Predict", strings_in_content(5_000), False),
        ("Classify", listed(1000, context=b"x" * 1000), True),
        ("Regress", listed(1000, context=b"x" * 1000), True),
        ("Classify", listed(20_000), True),
        ("Classify", listed(5_000), False),
    ],
    ids=["filled", "strings", "some strings", "context", "context of regress", "examples", "some examples"],
)
def test_a_request_of_a_few_bytes_that_becomes_large_does_not_run_on_the_event_loop(
    method: str, request_data: bytes, large: bool
) -> None:
    manager = NotingManager()

    async def sent() -> None:
        async with serving(Lanes(), Buffered(), manager) as channel:
            assert await code_of(channel, request_data, method) is grpc.StatusCode.NOT_FOUND

    asyncio.run(sent())
    assert len(request_data) < INLINE_BYTES
    assert manager.on_loop == [not large]


@pytest.mark.parametrize("verb", ["classify", "regress"])
@pytest.mark.parametrize(
    ("examples", "context", "large"),
    [
        ([{}] * 1000, {"f": "x" * 1000}, True),
        ([{}] * 20_000, {}, True),
        ([{"f": [1] * 20_000}], {}, True),
        ([{"f": [1, 2]}] * 1000, {"f": "x" * 10}, False),
    ],
    ids=["context", "examples", "values", "small"],
)
def test_a_body_of_examples_that_becomes_large_does_not_run_on_the_event_loop(
    verb: str, examples: list[Any], context: dict[str, Any], large: bool
) -> None:
    manager = NotingManager()
    body = json.dumps({"examples": examples, "context": context})

    async def sent() -> None:
        async with rest_client(Lanes(), Buffered(), manager) as client:
            assert (await client.post(f"/v1/models/m:{verb}", content=body)).status_code == 404

    asyncio.run(sent())
    assert len(body) < INLINE_BYTES
    assert manager.on_loop == [not large]


class Work:
    """Work that lasts until ``end`` is set."""

    def __init__(self, end: threading.Event) -> None:
        self.begun = threading.Event()
        self._end = end

    def __call__(self) -> None:
        self.begun.set()
        self._end.wait(patience(60))


@contextmanager
def set_at_last() -> Iterator[threading.Event]:
    """An event that is set when the block ends, if not before."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


async def under_way(lanes: Lanes, work: Work) -> asyncio.Task[None]:
    task = asyncio.create_task(lanes.run_in_background(work))
    await asyncio.to_thread(work.begun.wait, patience(60))
    return task


def test_of_work_that_waits_nothing_stays_once_its_caller_is_cancelled() -> None:
    async def waits() -> None:
        lanes = Lanes()
        with set_at_last() as end:
            running = [await under_way(lanes, Work(end)) for _ in range(2)]
            waiting = Work(end)
            kept = weakref.ref(waiting)
            task = asyncio.create_task(lanes.run_in_background(waiting))
            del waiting
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task], timeout=patience(2))
            assert task.cancelled()
            del task
            assert kept() is None
        await asyncio.gather(*running)
        lanes.close()

    asyncio.run(waits())


def test_work_that_has_begun_is_waited_for_by_a_caller_that_is_cancelled() -> None:
    async def waits() -> None:
        lanes = Lanes()
        with set_at_last() as end:
            task = await under_way(lanes, Work(end))
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
                assert not task.done()
        await asyncio.wait([task])
        assert task.cancelled()
        lanes.close()

    asyncio.run(waits())


class Parsed:
    """What a request of a few bytes is parsed to."""


def test_a_small_request_that_becomes_large_waits_as_the_bytes_in_which_it_came() -> None:
    async def waits() -> None:
        lanes = Lanes()
        parsed: weakref.WeakSet[Parsed] = weakref.WeakSet()

        def parse() -> Parsed:
            request = Parsed()
            parsed.add(request)
            return request

        with set_at_last() as end:
            running = [await under_way(lanes, Work(end)) for _ in range(2)]
            task = asyncio.create_task(lanes.run(1, parse, lambda request: INLINE_BYTES, lambda request: len(parsed)))
            await asyncio.sleep(0)
            assert not task.done()
            assert not parsed
        assert await task == 1
        await asyncio.gather(*running)
        lanes.close()

    asyncio.run(waits())


def test_a_small_request_as_gzip_waits_for_no_large_one() -> None:
    async def sent() -> None:
        lanes = Lanes()
        small, grown = (gzip.compress(b'{"instances": [1]}'.ljust(size)) for size in (0, INLINE_BYTES + 1))

        async with rest_client(lanes, Buffered()) as client:

            async def status_of(body: bytes) -> int:
                headers = {"content-encoding": "gzip"}
                return (await client.post("/v1/models/m:predict", content=body, headers=headers)).status_code

            with set_at_last() as end:
                running = [await under_way(lanes, Work(end)) for _ in range(2)]
                large = asyncio.create_task(status_of(grown[:-1]))  # not whole, which shows once it is read
                async with asyncio.timeout(patience(2)):
                    for _ in range(5):
                        assert await status_of(small) == 404
                        await asyncio.sleep(0)
                assert not large.done()
            assert await large == 400
            await asyncio.gather(*running)
        lanes.close()

    asyncio.run(sent())
