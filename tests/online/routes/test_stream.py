"""Streams: so many at once however they come, each slot given back, and none for a key that is revoked."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.types import Message, Scope

from online.http.load_shedding import MAX_STREAMS
from online.routes.stream import events_of
from online.server import Server
from online.support import metrics
from tests.online.in_process import api
from tests.patience import patience

KEY, OTHER = "k" * 16, "o" * 16
BURST = MAX_STREAMS + 30


class Updates:
    """Updates of users that come when the test sets them."""

    ended = False

    def __init__(self) -> None:
        self.updated = asyncio.Event()

    @contextlib.asynccontextmanager
    async def subscribe(self, user_id: int) -> AsyncIterator[asyncio.Event]:
        yield self.updated


class Users:
    """Users of whom nothing is known, as while Redis is away."""

    async def load_user(self, user_id: int) -> Any:
        return SimpleNamespace(n=None, features=SimpleNamespace(last_ts=0), applied_in_ms=None)


def app_of(folder: Path, **settings: Any) -> FastAPI:
    """The application, unstarted, without Redis, and with updates that nobody makes."""
    app = api(folder, **settings)
    updates: Any = Updates()
    users: Any = Users()
    app.state.server = replace(app.state.server, user_updates=updates, users=users)
    return app


def scope_of(query: bytes, *headers: tuple[bytes, bytes]) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/stream",
        "raw_path": b"/v1/stream",
        "query_string": query,
        "headers": [(b"host", b"127.0.0.1"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }


class Caller:
    """One call of the API. status: of its response, 0 before it begins; stuck: whether nothing can be sent to it."""

    def __init__(self, app: FastAPI, query: bytes = b"user_id=7&lists=0", stuck: bool = False) -> None:
        self.status = 0
        self._stuck = stuck
        self.left = asyncio.Event()
        self._asked = False
        self.task = asyncio.create_task(app(scope_of(query), self._receive, self._send))

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._stuck:
            await self.left.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(patience(20)):
        while not done():
            await asyncio.sleep(0.005)


def test_a_burst_opens_no_more_streams_than_the_limit(tmp_path: Path) -> None:
    async def play() -> None:
        app = app_of(tmp_path)
        server: Server = app.state.server
        callers = [Caller(app) for _ in range(BURST)]
        await until(lambda: all(each.status for each in callers))
        statuses = [each.status for each in callers]
        assert (statuses.count(200), statuses.count(503)) == (MAX_STREAMS, BURST - MAX_STREAMS)
        assert server.streams.taken == MAX_STREAMS
        for each in callers:
            each.left.set()
        await asyncio.wait_for(asyncio.gather(*(each.task for each in callers)), 20)
        assert server.streams.taken == 0
        assert metrics.REGISTRY.get_sample_value(metrics.name_of(metrics.STREAMS)) == 0

    asyncio.run(play())


@pytest.mark.parametrize(
    ("query", "status"), [(b"user_id=7&model=nope", 404), (b"user_id=7&size=0", 422), (b"lists=0", 422)]
)
def test_a_stream_that_is_refused_leaves_its_slot(tmp_path: Path, query: bytes, status: int) -> None:
    async def play() -> None:
        app = app_of(tmp_path)
        caller = Caller(app, query)
        await asyncio.wait_for(caller.task, 20)
        assert (caller.status, app.state.server.streams.taken) == (status, 0)

    asyncio.run(play())


def test_a_stream_that_ends_before_its_response_begins_leaves_its_slot(tmp_path: Path) -> None:
    async def play() -> None:
        app = app_of(tmp_path)
        caller = Caller(app, stuck=True)
        await until(lambda: app.state.server.streams.taken == 1)
        caller.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await caller.task
        assert (caller.status, app.state.server.streams.taken) == (0, 0)

    asyncio.run(play())


async def moves() -> AsyncIterator[tuple[bytes, bytes]]:
    yield b"move", b"{}"


async def nobody() -> Message:
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}


def with_two_keys(folder: Path) -> Path:
    """An access file with the keys KEY and OTHER."""
    path = folder / "access.json"
    path.write_text(json.dumps({"keys": {"shop": KEY, "app": OTHER}}))
    return path


def revoke(path: Path, server: Server) -> None:
    """Leave OTHER alone in the file, and have the server see it."""
    path.write_text(json.dumps({"keys": {"app": OTHER}}))
    os.utime(path, ns=(0, 1))
    server.access.refresh()


@pytest.mark.parametrize("keep_alive", [60.0, 0.01])
def test_a_stream_ends_when_its_key_is_revoked(tmp_path: Path, keep_alive: float) -> None:
    """At the next update, which is not pushed, or at the next sign of life."""
    path = with_two_keys(tmp_path)

    async def play() -> None:
        app = app_of(tmp_path, access=str(path))
        server: Server = app.state.server
        updates: Any = server.user_updates
        request = Request(scope_of(b"user_id=7", (b"x-api-key", KEY.encode())), nobody)
        async with asyncio.timeout(10):
            stream = events_of(server, request, 7, moves, keep_alive)
            assert await anext(stream) == b"id: 1\nevent: move\ndata: {}\n\n"
            revoke(path, server)
            if keep_alive > 1:
                updates.updated.set()
            rest = [part async for part in stream]
        assert rest == [b": the key in the header X-API-Key is none of those that are set\n\n"]

    asyncio.run(play())


def test_a_stream_of_a_key_that_stays_goes_on(tmp_path: Path) -> None:
    path = with_two_keys(tmp_path)

    async def play() -> None:
        app = app_of(tmp_path, access=str(path))
        server: Server = app.state.server
        updates: Any = server.user_updates
        request = Request(scope_of(b"user_id=7", (b"x-api-key", OTHER.encode())), nobody)
        async with asyncio.timeout(patience(20)):
            stream = events_of(server, request, 7, moves, 0.01)
            await anext(stream)
            revoke(path, server)
            assert await anext(stream) == b": alive\n\n"
            updates.updated.set()
            while (part := await anext(stream)) == b": alive\n\n":
                pass
            assert part.startswith(b"id: 2\n")
            await stream.aclose()  # type: ignore[attr-defined]  # an async generator

    asyncio.run(play())
