"""Connections of an HTTP server that nobody uses: silent ones are closed, and at the limit the oldest of them makes room.

uvicorn by itself lets a connection that sends nothing stay for ever, closes one five seconds after its last response, which is
when many a client uses it again, and counts idle ones as load (`limit_concurrency`): some hundred of them stop a server for
everybody. So the servers count requests (`RequestLimit`) and hold connections here.
"""

import asyncio
import resource
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Final, Protocol, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_CONNECTIONS: Final = 4096
SILENCE: Final = 75.0
"""Seconds that a connection may take to send the whole head of a request, from its opening or its last response on. Proxies and
load balancers keep an idle connection for 60 s, many clients for 5: who closes first must be the caller, since a request that
meets a close on its way fails, and one that may have had an effect is not sent again by itself."""
UNREAD: Final = 30.0
"""Seconds that a request may wait for its caller to read what has been sent."""
SLOWEST: Final = 10
"""So many times UNREAD a caller may take to read the last response."""
RESERVED_FILES: Final = 256
"""File descriptors for all that is no connection of a caller: files, Redis, Kafka, the model server."""
MAX_HEAD: Final = 64 << 10
"""Bytes of a request's first line and headers; and of anything else that comes between two parts of a body, as after its last."""
MAX_REQUESTS: Final = 512
"""Requests in progress at once."""
_SWEEP: Final = 1.0

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class Closable(Protocol):
    """A connection, as the table needs it. sending: whether a part of its last response has still to go out."""

    @property
    def sending(self) -> bool: ...

    def close(self) -> None: ...


class Connections:
    """The open connections of a server, those without a request in the order in which they became so.

    limit      connections held at once
    silence    seconds that one may stay without a request
    unread     seconds that a request may wait for its caller to read
    on_closed  called with a reason for each that is closed here: silent, room (made for another), full (none was idle), unread,
               head (of more than MAX_HEAD bytes)
    """

    def __init__(
        self,
        limit: int,
        silence: float = SILENCE,
        unread: float = UNREAD,
        on_closed: Callable[[str], None] = lambda reason: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._silence, self._may_be_unread = limit, silence, unread
        self._on_closed, self._clock = on_closed, clock
        self._idle: OrderedDict[Closable, float] = OrderedDict()
        self._busy: set[Closable] = set()
        self._unread: dict[Closable, float] = {}
        """Since when a connection takes nothing more, by its buffer."""

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy)

    def opened(self, connection: Closable) -> None:
        """Hold a new connection; at the limit the oldest idle one is closed for it, or itself where all are busy."""
        if len(self) >= self._limit:
            oldest = next((each for each in self._idle if not each.sending), connection)
            self._close(oldest, "full" if oldest is connection else "room")
            if oldest is connection:
                return
        self._idle[connection] = self._clock()

    def begun(self, connection: Closable) -> None:
        """Note that the whole head of a request has come."""
        self._idle.pop(connection, None)
        self._busy.add(connection)

    def answered(self, connection: Closable) -> None:
        """Note that no request is left to be answered."""
        if connection in self._busy:
            self._busy.discard(connection)
            self._idle[connection] = self._clock()

    def blocked(self, connection: Closable) -> None:
        """Note that its caller reads more slowly than is sent: what is due has to wait."""
        self._unread.setdefault(connection, self._clock())

    def unblocked(self, connection: Closable) -> None:
        self._unread.pop(connection, None)

    def closed(self, connection: Closable) -> None:
        self._idle.pop(connection, None)
        self._busy.discard(connection)
        self._unread.pop(connection, None)

    def close_silent(self) -> None:
        """Close those that have been idle, or have kept a request waiting for their caller to read, for too long."""
        now = self._clock()
        for connection, since in list(self._unread.items()):
            if connection in self._busy and since <= now - self._may_be_unread:
                self._close(connection, "unread")
        for connection, since in list(self._idle.items()):
            if since > now - self._silence:
                break
            if not connection.sending or since <= now - SLOWEST * self._may_be_unread:
                self._close(connection, "silent")

    def refuse(self, connection: Closable) -> None:
        """Close one that has sent MAX_HEAD bytes of a request's head and more."""
        self._close(connection, "head")

    async def watch(self) -> None:
        """Close silent connections each second, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP)
            self.close_silent()

    def _close(self, connection: Closable, reason: str) -> None:
        self.closed(connection)
        self._on_closed(reason)
        connection.close()


class JoinedWrites:
    """A transport that sends two writes of one step of the event loop as one: uvicorn writes the head of a response and its body
    by themselves, and two packets wake a caller twice. One write waits at most, so that flow control sees all others."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._loop = transport, asyncio.get_running_loop()
        self._waiting = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._waiting:
            self._transport.write(self._waiting + data)
            self._waiting = b""
        elif data:
            self._waiting = data
            self._loop.call_soon(self.flush)

    def get_write_buffer_size(self) -> int:
        return len(self._waiting) + self._transport.get_write_buffer_size()

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Send what waits; it is nothing to anybody once the connection is lost."""
        waiting, self._waiting = self._waiting, b""
        if waiting and not self._transport.is_closing():
            self._transport.write(waiting)


class Connection(HttpToolsProtocol):
    """A connection of uvicorn that is held in a table. refusal: the body, as (content type, text), for what is no HTTP.

    What comes is given on as it is. Where it is longer than what a head may still have, it is given on in parts, so that no body
    behind a head counts, and no byte of a head beyond the limit is parsed.
    """

    def __init__(self, table: Connections, refusal: tuple[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table, self._refusal = table, refusal
        self._room = MAX_HEAD
        """Bytes that may come before the next end of a head, part of a body, or end of a request."""
        self._unanswered: deque[RequestResponseCycle] = deque()
        """Requests in the order of their answers: the first is in progress, the others were sent before its end."""

    @property
    def sending(self) -> bool:
        return self.transport.get_write_buffer_size() > 0

    def close(self) -> None:
        """Close it at once."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._writes = JoinedWrites(transport)
        super().connection_made(cast(asyncio.Transport, self._writes))
        self._table.opened(self)

    def eof_received(self) -> None:
        self._writes.flush()  # the loop closes the transport next: a caller may say that it has sent all, and still read
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._table.closed(self)
        super().connection_lost(exc)
        for cycle in self._unanswered:  # uvicorn lets know the one that came last alone
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        if len(data) <= self._room:
            self._room -= len(data)  # before the parser, which makes room anew
            super().data_received(data)
        else:
            self._receive_parts(memoryview(data))

    def _receive_parts(self, data: memoryview) -> None:
        """Receive what is longer than the room, as far as there is any."""
        while data and not self.transport.is_closing():
            part, data = data[: self._room], data[self._room :]
            if not part:
                self._table.refuse(self)
                return
            self._room -= len(part)
            super().data_received(part)  # type: ignore[arg-type]  # the parser takes any buffer

    def on_headers_complete(self) -> None:
        self._room = MAX_HEAD
        self._table.begun(self)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self._unanswered.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._room = MAX_HEAD
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._room = MAX_HEAD
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._unanswered.popleft()
        if not self.pipeline:
            self._table.answered(self)
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Let an idle connection be: when it is closed, the table says."""

    def pause_writing(self) -> None:
        self._table.blocked(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._table.unblocked(self)
        super().resume_writing()

    def handle_websocket_upgrade(self) -> None:
        self._table.closed(self)  # from here on it is another protocol's
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        kind, text = self._refusal
        body = text.encode()
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()


def connection_class(table: Connections, refusal: tuple[str, str]) -> type[asyncio.Protocol]:
    """What uvicorn's `http` setting takes so that its connections are held in `table`."""
    return cast(type[asyncio.Protocol], partial(Connection, table, refusal))


def allowed_connections(limit: int = MAX_CONNECTIONS) -> int:
    """Raise this process' limit of open files as far as it may; returns how many connections that leaves room for, at most
    `limit`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limit + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return limit if soft == resource.RLIM_INFINITY else min(limit, max(soft - RESERVED_FILES, soft // 2))


class RequestLimit:
    """ASGI middleware: at most `limit` requests are in progress; what comes beyond them gets `refusal`'s response at once, but
    for those to the path `always`."""

    def __init__(self, app: App, refusal: App, limit: int = MAX_REQUESTS, always: str = "") -> None:
        self._app, self._refusal, self._limit, self._always = app, refusal, limit, always
        self._in_progress = 0

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._in_progress >= self._limit and scope["path"] != self._always:
            await self._refusal(scope, receive, send)
            return
        self._in_progress += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_progress -= 1
