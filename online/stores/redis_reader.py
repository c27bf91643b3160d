"""Reads from Redis over one connection, as barely as can be: commands are written at once, and replies go to who waits in the
order in which they wrote. A pool and its commands cost five times as much processor time as the read itself.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, cast

import hiredis

from features.errors import Unavailable
from online.support.background import end

CONNECT_TIMEOUT: Final = 1.0
MAX_WAITING: Final = 1024
"""Reads that wait for a Redis that stands still; more fail at once."""
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
        if waiter.future.done():  # its reader has given up
            return
        error = next((each for each in waiter.replies if isinstance(each, hiredis.ReplyError)), None)
        if error is None:
            waiter.future.set_result(waiter.replies)
        else:
            waiter.future.set_exception(Unavailable(f"Redis: {error}"))

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

    async def read(self, commands: Sequence[bytes]) -> list[Any]:
        if len(self._waiting) >= self._limit:
            raise Unavailable(f"Redis: {self._limit} reads wait for it")
        loop = asyncio.get_running_loop()
        if self._waiting and loop.time() - self._waiting[0].began > STALE:
            self.close()
            raise Unavailable(f"Redis: nothing came on the connection for {STALE:.0f} s")
        assert self._transport is not None
        waiter = _Waiter(loop.create_future(), len(commands), loop.time())
        self._waiting.append(waiter)
        self._transport.write(b"".join(commands))
        return await waiter.future


class RedisReader:
    """Reads for one event loop. It connects with the first read, and again after a loss; a read has no timeout of its own."""

    def __init__(self, host: str, port: int, limit: int = MAX_WAITING) -> None:
        self._host, self._port, self._limit = host, port, limit
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None

    async def read(self, commands: Sequence[bytes]) -> list[Any]:
        """The replies to packed commands (`hiredis.pack_command`), in their order. Raises Unavailable where Redis is away, the
        connection is lost meanwhile, or a reply is an error."""
        connection = self._connection
        if connection is None or connection.lost:
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.create_task(self._connect(), name="redis connection")
            connection = await asyncio.shield(self._connecting)  # a reader that gives up does not end it for all
        return await connection.read(commands)

    async def _connect(self) -> _Connection:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, made = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self._limit), self._host, self._port
                )
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"Redis: {type(error).__name__}: {error}") from error
        if made.lost:
            raise Unavailable("Redis: the connection was lost at once")
        self._connection = made
        return made

    async def close(self) -> None:
        """End the connection, if there is one."""
        await end(self._connecting)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
