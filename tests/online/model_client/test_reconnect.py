"""A model server whose connection leads nowhere from one moment on, as after a cut: the next calls go over another one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
import pytest

from features.errors import Unavailable
from online.model_client.client import FAILURES_TO_OPEN, ModelClient
from online.model_client.grpc_transport import GrpcTransport
from online.support.background import end
from tests.online.model_client.predict_server import predict_server

ROWS = {"dense": np.zeros((1, 2), np.float32)}
SCORE = np.array([0.75], np.float32)
SHORT = 0.02
"""Seconds: as little as a user's vector may take."""
LIMIT = 30.0
"""Seconds for a scene; a connection without an answer lasts for minutes."""
_TENSOR = b"\x08\x01\x22\x04" + SCORE.tobytes()
_ENTRY = b"\x0a\x01s\x12" + bytes([len(_TENSOR)]) + _TENSOR
RESPONSE = b"\x0a" + bytes([len(_ENTRY)]) + _ENTRY
"""A PredictResponse with one output of one number."""
HTTP = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"outputs": [0.75]}'


class Cut:
    """A proxy on loopback. Once it is cut, connections of before take all that is sent and pass nothing on; later ones do.

    opening  seconds that each connection takes to come to be, as to a server far away
    """

    def __init__(self, opening: float = 0.0) -> None:
        self._opening = opening
        self._cuts = 0
        self._open: set[asyncio.Task[Any]] = set()
        self.connections = 0

    def cut(self) -> None:
        self._cuts += 1

    @asynccontextmanager
    async def before(self, target: int) -> AsyncIterator[int]:
        """Gives the port that leads to another one."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            cuts, task = self._cuts, asyncio.current_task()
            assert task is not None
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            await asyncio.sleep(self._opening)
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", target)
            with suppress(asyncio.CancelledError):
                await asyncio.gather(
                    self._pass_on(reader, other_writer, cuts), self._pass_on(other_reader, writer, cuts)
                )

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield listening.sockets[0].getsockname()[1]
        finally:
            listening.close()
            await end(*self._open)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cuts: int) -> None:
        try:
            while data := await reader.read(65536):
                if cuts == self._cuts:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


async def responds(request: bytes, context: Any) -> bytes:
    return RESPONSE


@asynccontextmanager
async def http_server() -> AsyncIterator[int]:
    """Gives the port of a server that answers each call with one number, any number of them over a connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                writer.write(HTTP)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def answered(client: ModelClient) -> None:
    """Wait until a first call is answered: on a busy machine gRPC gives up a connection that takes long to come to be."""
    while True:
        with suppress(Unavailable):
            assert await client.scores("toy", 1, ROWS, 1, 10.0) == SCORE
            return
        await asyncio.sleep(0.05)


@asynccontextmanager
async def cut_off(scheme: str, opening: float = 0.0) -> AsyncIterator[tuple[ModelClient, Cut]]:
    """A client whose connection, over which it had an answer, has been cut."""
    async with http_server() if scheme else predict_server(responds) as target:
        cut = Cut(opening)
        async with cut.before(target) as port:
            client = ModelClient(f"{scheme}127.0.0.1:{port}")
            await client.start()
            try:
                await answered(client)
                cut.connections = 1  # others did not come to be in time
                cut.cut()
                yield client, cut
            finally:
                await client.close()


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(LIMIT):
            await scene()

    asyncio.run(bounded())


@pytest.mark.parametrize("scheme", ["", "http://"], ids=["gRPC", "REST"])
def test_once_the_breaker_has_opened_another_connection_is_tried(scheme: str) -> None:
    """Also while a call of before still waits for its answer over the one that is cut."""

    async def scene() -> None:
        async with cut_off(scheme) as (client, cut):
            waiting = asyncio.create_task(client.vector("toy", 1, "", ROWS, 1, 2 * LIMIT))
            failures = 0
            while failures < 100:
                try:
                    assert await client.scores("toy", 1, ROWS, 1, 0.2) == SCORE
                    break
                except Unavailable:
                    failures += 1
                    await asyncio.sleep(0.05)
            assert failures < 100
            assert cut.connections <= 2 + FAILURES_TO_OPEN
            assert scheme or not waiting.done(), "gRPC's calls share a connection"
            await end(waiting)

    play(scene)


def test_users_vectors_come_over_another_connection_though_nothing_is_ranked() -> None:
    """Where models rank in the API's process there are no other calls. Meanwhile those fail fast, and rankings are made."""

    async def scene() -> None:
        async with cut_off("") as (client, cut):
            for _ in range(FAILURES_TO_OPEN):
                with pytest.raises(Unavailable, match="model toy version 1: "):
                    await client.vector("toy", 1, "", ROWS, 1, SHORT)
            with pytest.raises(Unavailable, match="did not answer just now"):
                await client.vector("toy", 1, "", ROWS, 1, SHORT)
            assert client.broken
            assert await client.scores("toy", 1, ROWS, 1, 10.0) == SCORE
            assert not client.broken
            async with asyncio.timeout(LIMIT / 2):
                while True:
                    with suppress(Unavailable):
                        assert await client.vector("toy", 1, "", ROWS, 1, 1.0) == SCORE
                        break
                    await asyncio.sleep(0.05)
            assert cut.connections <= 3

    play(scene)


@pytest.mark.parametrize("kind", ["vectors", "scores"])
def test_a_server_far_away_answers_again_though_a_connection_takes_longer_than_a_call_may(kind: str) -> None:
    async def scene() -> None:
        async with cut_off("", opening=0.6) as (client, _):
            while True:
                with suppress(Unavailable):
                    if kind == "vectors":
                        assert await client.vector("toy", 1, "", ROWS, 1, 0.2) == SCORE
                    else:
                        assert await client.scores("toy", 1, ROWS, 1, 0.2) == SCORE
                    break
                await asyncio.sleep(0.05)

    play(scene)


def test_late_vectors_of_users_leave_rankings_their_connection() -> None:
    """A server that is far away answers in time those who have longer."""

    async def scene() -> None:
        go_on = asyncio.Event()

        async def late_by_tower(request: bytes, context: Any) -> bytes:
            if b"tower" in request:
                await go_on.wait()
            return RESPONSE

        cut = Cut()
        async with predict_server(late_by_tower) as target, cut.before(target) as port:
            client = ModelClient(f"127.0.0.1:{port}")
            await client.start()
            await answered(client)
            connections = cut.connections
            for _ in range(FAILURES_TO_OPEN):
                assert await client.scores("toy", 1, ROWS, 1, 10.0) == SCORE
                with pytest.raises(Unavailable, match="model toy version 1: "):
                    await client.vector("toy", 1, "tower", ROWS, 1, SHORT)
            with pytest.raises(Unavailable, match="did not answer just now"):
                await client.vector("toy", 1, "tower", ROWS, 1, SHORT)
            assert await client.scores("toy", 1, ROWS, 1, 10.0) == SCORE
            assert not client.broken
            go_on.set()
            await client.close()
        assert cut.connections == connections

    play(scene)


@pytest.mark.parametrize("scheme", ["", "http://"], ids=["gRPC", "REST"])
def test_a_check_without_an_answer_has_the_next_one_made_over_another_connection(scheme: str) -> None:
    """Where no version ranks yet there is nothing but checks."""

    async def scene() -> None:
        async with cut_off(scheme) as (client, _):
            with pytest.raises(Unavailable, match="model toy version 1: "):
                await client.check("toy", 1, ROWS, 1, 0.2)
            assert await client.check("toy", 1, ROWS, 1, 10.0) == SCORE

    play(scene)


def test_calls_in_progress_are_answered_over_the_connection_that_is_given_up() -> None:
    async def scene() -> None:
        began, go_on = asyncio.Semaphore(0), asyncio.Event()

        async def late(request: bytes, context: Any) -> bytes:
            began.release()
            await go_on.wait()
            return RESPONSE

        async with predict_server(late) as port:
            transport = GrpcTransport(f"127.0.0.1:{port}")
            await transport.start()
            calls = []
            for _ in range(3):
                calls.append(asyncio.create_task(transport.predict("toy", 1, ROWS, 20.0)))
                await began.acquire()
                transport.reconnect()
            go_on.set()
            assert [scores.tolist() for scores in await asyncio.gather(*calls)] == [[0.75]] * 3
            await transport.close()
            transport.reconnect()  # by a call that fails as the API stops

    play(scene)
