"""Connections to a Redis that a test can make unavailable."""

from select import POLLIN, poll
from typing import Any

from features.engines.redis_address import RedisAddress
from features.errors import Unavailable
from streaming.redis_sink.redis_connection import Connection
from streaming.redis_sink.server_pipe import CALL_TIMEOUT
from streaming.testing.manual_time import ManualTime


class UnsteadyRedis:
    """Opens connections that can be cut, or whose replies can be lost. Operators are given `connect`."""

    def __init__(self, time_source: ManualTime) -> None:
        self._time = time_source
        self._back_at = 0.0
        self._cuts = 0
        self._deaf = False
        self._open: list[Connection] = []

    def connect(self, address: RedisAddress, timeout: float) -> Connection:
        """Open a connection that this object can cut. Raises Unavailable while Redis is away."""
        connection = _CuttableConnection(self, address, timeout)
        self._open.append(connection)
        return connection

    def away(self, seconds: float) -> None:
        """Make Redis unavailable for that long; open connections break."""
        self._back_at = self._time.monotonic() + seconds
        self._cuts += 1

    def lose_replies(self) -> None:
        """Lose the replies to what is sent next, which is carried out, and the connection."""
        self._deaf = True

    def drop(self) -> None:
        """Close all connections, as when the job's processes end."""
        for connection in self._open:
            connection.close()
        self._open.clear()

    def check(self, cuts: int) -> int:
        """Returns how often connections were cut. Raises Unavailable while Redis is away, or if it was since `cuts`."""
        if self._time.monotonic() < self._back_at or cuts not in (-1, self._cuts):
            raise Unavailable("Redis is away")
        return self._cuts

    def check_replies(self) -> None:
        """Raises Unavailable if replies are to be lost."""
        if self._deaf:
            self._deaf = False
            self._cuts += 1
            raise Unavailable("the answers were lost")


class _CuttableConnection(Connection):
    """A connection whose `send` returns once the server has begun to reply, so that what was sent is there for whoever looks over
    another connection (if it is no longer than the 16 kB that a server reads at once)."""

    def __init__(self, server: UnsteadyRedis, address: RedisAddress, timeout: float) -> None:
        self._server = server
        self._cuts = server.check(-1)
        self._ready = False
        super().__init__(address, timeout)
        self._ready = True

    def send(self, commands: list[bytes]) -> None:
        self._server.check(self._cuts)
        super().send(commands)
        if commands:
            replies = poll()
            replies.register(self._socket, POLLIN)
            replies.poll(CALL_TIMEOUT * 1000)

    def read_replies(self, count: int) -> list[Any]:
        self._server.check(self._cuts)
        found = super().read_replies(count)
        if self._ready:
            self._server.check_replies()
        return found
