"""Scores from a model server, over gRPC and over REST: the same scores, errors and timeouts."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf

from features.errors import Unavailable
from models.server.testing import ServerProcess
from online.model_client.client import FAILURES_TO_OPEN, OPEN_FOR, ModelClient
from online.model_client.transport import MAX_ANSWER, Overloaded, Refused, VersionWithdrawn
from tests.online.model_client.predict_server import predict_server

pytestmark = pytest.mark.keras

ROWS = {"userId": np.array([6, 2**53 + 1]), "dense": np.array([[0.5, 1.0], [0.1, 0.0]], np.float32)}
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def write_version(folder: Path, *, scale: float = 1.0, column: bool = False, two: bool = False) -> None:
    """A model whose score is scale · (sum of dense), and tells large ids apart; its output is [n], or [n, 1]."""

    def run(userId: Any, dense: Any) -> dict[str, Any]:  # the input's name
        score = scale * tf.reduce_sum(dense, axis=1) + tf.cast(userId - 2**53 == 1, tf.float32)
        outputs = {"score": score[:, tf.newaxis] if column else score}
        return outputs | ({"other": score} if two else {})

    specs = [tf.TensorSpec([None], tf.int64, name="userId"), tf.TensorSpec([None, 2], tf.float32, name="dense")]
    module = tf.Module()
    module.run = tf.function(run, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.run})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    base = tmp_path_factory.mktemp("served")
    write_version(base / "toy" / "1")
    write_version(base / "toy" / "2", column=True)
    write_version(base / "toy" / "3", scale=float("nan"))
    write_version(base / "toy" / "4", two=True)
    config = base / "models.config"
    entry = f'name: "toy" base_path: "{base}/toy" model_platform: "tensorflow" model_version_policy {{ all {{}} }}'
    config.write_text(f"model_config_list {{ config {{ {entry} }} }}")
    with ServerProcess(f"--model_config_file={config}") as running:
        yield running


@pytest.fixture(params=["gRPC", "REST"])
def address(request: pytest.FixtureRequest, server: ServerProcess) -> str:
    return server.target if request.param == "gRPC" else server.url


def scores_of(address: str, version: int = 1, count: int = 2, **inputs: Any) -> list[float]:
    async def once() -> list[float]:
        async with client_of(address) as client:
            scores = await client.scores("toy", version, ROWS | inputs, count, 5.0)
            assert scores.dtype == np.float32
            return [float(score) for score in scores]

    return asyncio.run(once())


@asynccontextmanager
async def client_of(address: str) -> AsyncIterator[ModelClient]:
    client = ModelClient(address)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.parametrize("version", [1, 2])
def test_scores(address: str, version: int) -> None:
    assert scores_of(address, version) == pytest.approx([1.5, 1.1])


def test_a_slice_of_another_array_is_sent_as_it_reads(address: str) -> None:
    wide = np.arange(8, dtype=np.float32).reshape(2, 4)
    assert scores_of(address, dense=wide[:, ::2]) == pytest.approx([2.0, 11.0])


@pytest.mark.parametrize(
    ("version", "count", "inputs", "reason"),
    [
        (3, 2, {}, "."),  # NaN
        (1, 3, {}, "numbers where 3 are due"),
        (4, 2, {}, "expected one output, got 2"),
        (1, 2, {"dense": np.zeros((3, 2), np.float32)}, "Incompatible shapes"),
        (1, 2, {"userId": np.zeros(2, np.float32)}, "int64"),
    ],
)
def test_what_is_no_ranking_is_refused(address: str, version: int, count: int, inputs: Any, reason: str) -> None:
    with pytest.raises(Unavailable, match=f"model toy version {version}.*{reason}"):
        scores_of(address, version, count, **inputs)


def test_a_version_that_is_not_there(address: str) -> None:
    with pytest.raises(VersionWithdrawn, match=r"model toy version 9: .*Specific\(toy, 9\)"):
        scores_of(address, 9)


def test_a_refusal_opens_no_breaker(address: str) -> None:
    async def run() -> None:
        async with client_of(address) as client:
            for _ in range(2 * FAILURES_TO_OPEN):
                with pytest.raises(VersionWithdrawn):
                    await client.scores("toy", 9, ROWS, 2, 5.0)
            assert not client.broken
            assert len(await client.scores("toy", 1, ROWS, 2, 5.0)) == 2

    asyncio.run(run())


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


def answering(text: bytes) -> Behaviour:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.write(text)
        await writer.drain()

    return answer


def http(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@asynccontextmanager
async def peer(behaviour: Behaviour) -> AsyncIterator[tuple[int, list[int]]]:
    """Its port, and how many have connected."""
    connected = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected[0] += 1
        try:
            await behaviour(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1], connected
    finally:
        listening.close()


@pytest.mark.parametrize(
    ("scheme", "behaviour"), [("", silent), ("http://", silent), ("http://", dripping)], ids=["gRPC", "REST", "drip"]
)
def test_who_does_not_answer_is_soon_left_alone_and_asked_again_later(scheme: str, behaviour: Behaviour) -> None:
    async def run() -> None:
        async with peer(behaviour) as (port, connected), client_of(f"{scheme}127.0.0.1:{port}") as client:
            for _ in range(FAILURES_TO_OPEN):
                began = time.monotonic()
                with pytest.raises(Unavailable, match="toy version 1: "):
                    await client.scores("toy", 1, ROWS, 2, 0.1)
                assert time.monotonic() - began < 2
            assert client.broken
            before = connected[0]
            for _ in range(20):
                with pytest.raises(Unavailable, match="did not answer just now"):
                    await client.scores("toy", 1, ROWS, 2, 0.1)
            assert connected[0] == before
            await asyncio.sleep(OPEN_FOR + 0.1)
            assert not client.broken

    asyncio.run(run())


@pytest.mark.parametrize(
    "text",
    [
        http("200 OK", b'{"outputs": [1.0, "a"]}'),
        http("200 OK", b'{"outputs": [[1.0], [1.0, 2.0]]}'),
        http("200 OK", b'{"outputs": [1.0, NaN]}'),
        http("200 OK", b'{"outputs": null}'),
        http("200 OK", b'{"predictions": [1.0, 2.0]}'),
        http("200 OK", b"[1.0, 2.0]"),
        http("200 OK", b"\xff"),
        http("302 Found", b""),
        http("500 Oops", b"\xff" * 1000),
        http("503 Busy", b"busy"),
        b"no HTTP at all\r\n\r\n",
        b"",
    ],
)
def test_odd_answers_over_rest(text: bytes) -> None:
    async def run() -> None:
        async with peer(answering(text)) as (port, _), client_of(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(Unavailable, match="model toy version 1"):
                await client.scores("toy", 1, ROWS, 2, 5.0)

    asyncio.run(run())


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    async def run() -> None:
        async with peer(endless) as (port, _), client_of(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(Unavailable, match=f"more than {MAX_ANSWER} bytes"):
                await client.scores("toy", 1, ROWS, 2, 30.0)

    asyncio.run(run())


@asynccontextmanager
async def grpc_peer(answer: Callable[[bytes, Any], Awaitable[bytes]]) -> AsyncIterator[ModelClient]:
    """A client of a gRPC server that answers with this."""
    async with predict_server(answer) as port, client_of(f"127.0.0.1:{port}") as client:
        yield client


def test_an_odd_answer_over_grpc() -> None:
    async def answer(request: bytes, context: Any) -> bytes:
        return b"\xff\xff\xff"

    async def run() -> None:
        async with grpc_peer(answer) as client:
            with pytest.raises(Unavailable, match="expected a PredictResponse"):
                await client.scores("toy", 1, ROWS, 2, 5.0)

    asyncio.run(run())


def grpc_error(status: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def answer(request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode[status], "op failed")
        return b""

    return answer


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("INTERNAL", Refused),
        ("FAILED_PRECONDITION", Refused),
        ("RESOURCE_EXHAUSTED", Overloaded),
        ("UNIMPLEMENTED", Refused),
        ("INVALID_ARGUMENT", Refused),
        ("NOT_FOUND", VersionWithdrawn),
    ],
)
def test_what_the_server_itself_says_over_grpc_opens_no_breaker(status: str, kind: type[Exception]) -> None:
    async def run() -> None:
        async with grpc_peer(grpc_error(status)) as client:
            for _ in range(2 * FAILURES_TO_OPEN):
                with pytest.raises(kind, match=f"StatusCode.{status}: op failed"):
                    await client.scores("toy", 1, ROWS, 2, 5.0)
            assert not client.broken

    asyncio.run(run())


def test_a_server_that_says_it_is_away_opens_the_breaker() -> None:
    async def run() -> None:
        async with grpc_peer(grpc_error("UNAVAILABLE")) as client:
            for _ in range(FAILURES_TO_OPEN):
                with pytest.raises(Unavailable):
                    await client.scores("toy", 1, ROWS, 2, 5.0)
            assert client.broken

    asyncio.run(run())


@pytest.mark.parametrize("status", ["500 Oops", "429 Busy", "412 No", "302 Found"])
def test_what_the_server_itself_says_over_rest_opens_no_breaker(status: str) -> None:
    async def run() -> None:
        async with (
            peer(answering(http(status, b'{"error": "op failed"}'))) as (port, _),
            client_of(f"http://127.0.0.1:{port}") as client,
        ):
            for _ in range(2 * FAILURES_TO_OPEN):
                with pytest.raises(Refused):
                    await client.scores("toy", 1, ROWS, 2, 5.0)
            assert not client.broken

    asyncio.run(run())


def test_a_version_that_is_checked_without_an_answer_says_nothing_about_the_server() -> None:
    async def run() -> None:
        async with peer(silent) as (port, _), client_of(f"127.0.0.1:{port}") as client:
            for _ in range(2 * FAILURES_TO_OPEN):
                with pytest.raises(Unavailable):
                    await client.check("toy", 2, ROWS, 2, 0.05)
            assert not client.broken

    asyncio.run(run())
