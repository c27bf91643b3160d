"""A connection to one server of Redis, as bare as can be: commands are written at once, and replies go to who waits in the order
in which they wrote. A pool and its commands cost five times as much processor time as the read itself.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

import hiredis

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import Server
from features.errors import Unavailable
from online.support.background import end

CONNECT_TIMEOUT: Final = 1.0
STALE: Final = 1.0
"""Seconds that a reply may take, far beyond what any reader waits: then the connection is given up, since it may lead nowhere."""


class _Waiter:
    """A read: when it began, how many replies are still to come, those that have, and who waits for them."""

    __slots__ = ("began", "future", "left", "replies")

    def __init__(self, future: "asyncio.Future[list[Any]]", count: int, began: float) -> None:
        self.future, self.left, self.began = future, count, began
        self.replies: list[Any] = []


class _Connection(asyncio.Protocol):
    """One connection, on which at most `limit` reads wait; `lost` once it can't be used any more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parser = hiredis.Reader()
        self._waiting: deque[_Waiter] = deque()
        self._transport: asyncio.Transport | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own are no subclass of it

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
            while self._waiting and (reply := self._parser.gets()) is not False:
                self._take(reply)
        except hiredis.ProtocolError as error:
            self.close(error)

    def _take(self, reply: Any) -> None:
        waiter = self._waiting[0]
        waiter.replies.append(reply)
        waiter.left -= 1
        if waiter.left:
            return
        self._waiting.popleft()
        if not waiter.future.done():  # else its reader has given up
            waiter.future.set_result(waiter.replies)

    def connection_lost(self, error: Exception | None) -> None:
        self.close(error)

    def close(self, error: Exception | None = None) -> None:
        """End the connection; who waits learns that."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()
        for waiter in self._waiting:
            if not waiter.future.done():
                waiter.future.set_exception(Unavailable(f"Redis: the connection was lost ({error})"))
        self._waiting.clear()

    def is_lost(self) -> bool:
        """Whether it can't be used any more, which one is not, either, on which nothing has come for long."""
        if self._waiting and asyncio.get_running_loop().time() - self._waiting[0].began > STALE:
            self.close()
        return self.lost

    async def read(self, commands: Sequence[bytes]) -> list[Any]:
        if len(self._waiting) >= self._limit:
            raise Unavailable(f"Redis: {self._limit} reads wait for it")
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop.create_future(), len(commands), loop.time())
        self._waiting.append(waiter)
        self._transport.write(b"".join(commands))
        return await waiter.future


class ServerLink:
    """Reads of one event loop from one server. It connects with the first read, and again after a loss; a read has no timeout of
    its own. At most `limit` reads wait."""

    def __init__(self, address: RedisAddress, tls: ssl.SSLContext | None, limit: int) -> None:
        self._address, self._tls, self._limit = address, tls, limit
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None

    @property
    def server(self) -> Server:
        return self._address.host, self._address.port

    async def read(self, commands: Sequence[bytes]) -> list[Any]:
        """The replies to packed commands, in their order, some of which may be a hiredis.ReplyError. Raises Unavailable where the
        server is away or the connection is lost meanwhile."""
        connection = self._connection
        if connection is None or connection.is_lost():
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.create_task(self._connect(), name="redis connection")
            connection = await self._connected(self._connecting)
        return await connection.read(commands)

    async def _connected(self, connecting: "asyncio.Task[_Connection]") -> _Connection:
        try:
            return await asyncio.shield(connecting)  # a reader that gives up does not end it for all
        except asyncio.CancelledError:
            reader = asyncio.current_task()
            if connecting.cancelled() and reader is not None and not reader.cancelling():
                raise Unavailable(
                    "Redis: the connection was closed while it was made"
                ) from None  # and no reader cancelled
            raise

    async def _connect(self) -> _Connection:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, made = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self._limit), self._address.host, self._address.port, ssl=self._tls
                )
                await self._greet(made)
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"Redis: {type(error).__name__}: {error}") from error
        if made.lost:
            raise Unavailable("Redis: the connection was lost at once")
        self._connection = made
        return made

    async def _greet(self, made: _Connection) -> None:
        try:
            greeting = self._address.greeting()
            for reply in await made.read([hiredis.pack_command(command) for command in greeting]) if greeting else ():
                if isinstance(reply, hiredis.ReplyError):
                    raise Unavailable(f"Redis: {reply}")
        except BaseException:
            made.close()
            raise

    async def close(self) -> None:
        """End the connection, if there is one."""
        await end(self._connecting)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
