"""The way to a Redis that can be away."""

from typing import Any

from features.errors import Unavailable
from streaming.redis_sink.redis_connection import Connection
from streaming.testing.manual_time import ManualTime


class UnsteadyRedis:
    """Connections to a Redis that can be away, or whose answers can be lost. `connect` is what operators are given."""

    def __init__(self, time_source: ManualTime) -> None:
        self._time = time_source
        self._back_at = 0.0
        self._cuts = 0
        self._deaf = False
        self._open: list[Connection] = []

    def connect(self, host: str, port: int, timeout: float) -> Connection:
        """A connection over which this object has power. Raises Unavailable while Redis is away."""
        connection = _CuttableConnection(self, host, port, timeout)
        self._open.append(connection)
        return connection

    def away(self, seconds: float) -> None:
        """For so long nothing gets through; connections that are open break."""
        self._back_at = self._time.monotonic() + seconds
        self._cuts += 1

    def lose_answers(self) -> None:
        """What is sent next is done, but its answers are lost, with the connection."""
        self._deaf = True

    def drop(self) -> None:
        """The processes at this end are gone."""
        for connection in self._open:
            connection.close()
        self._open.clear()

    def check(self, cuts: int) -> int:
        """How often connections were cut so far. Raises Unavailable while Redis is away, or if that was since `cuts`."""
        if self._time.monotonic() < self._back_at or cuts not in (-1, self._cuts):
            raise Unavailable("Redis is away")
        return self._cuts

    def check_answers(self) -> None:
        """Raises Unavailable if answers are to be lost."""
        if self._deaf:
            self._deaf = False
            self._cuts += 1
            raise Unavailable("the answers were lost")


class _CuttableConnection(Connection):
    def __init__(self, server: UnsteadyRedis, host: str, port: int, timeout: float) -> None:
        self._server = server
        self._cuts = server.check(-1)
        self._ready = False
        super().__init__(host, port, timeout)
        self._ready = True

    def send(self, commands: list[bytes]) -> None:
        self._server.check(self._cuts)
        super().send(commands)

    def answers(self, count: int) -> list[Any]:
        self._server.check(self._cuts)
        found = super().answers(count)
        if self._ready:
            self._server.check_answers()
        return found
