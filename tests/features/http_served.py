"""A server whose connections are held in a table, and callers that speak to it byte by byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import uvicorn
import uvloop

from features.http_connections import App, Connections, Message, connection_class
from tests.patience import patience

NO_HTTP: Final = ("application/problem+json", '{"status": 400}')
REQUEST: Final = b"GET /%b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def hello(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


@contextlib.asynccontextmanager
async def serving(app: App, table: Connections, **more: Any) -> AsyncIterator[int]:
    """A server on a free port; yields the port. more: settings of uvicorn."""
    kind = connection_class(table, NO_HTTP)
    config = uvicorn.Config(app, port=0, http=kind, lifespan="off", log_level="critical", **more)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(patience(20)):
            while not server.started:
                await asyncio.sleep(0.005)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 20)


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def request(port: int, path: bytes = b"") -> bytes:
    """The head of the response to one request on a connection of its own, with its body."""
    reader, writer = await connect(port)
    writer.write(REQUEST % path)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    writer.close()
    return head


def on_each_loop(play: Callable[[], Awaitable[None]]) -> None:
    """Play it on each of the event loops: the API's is uvloop."""

    async def run() -> None:
        await play()

    for loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(run())
