"""One connection to Redis for pipelines whose answers are read later. hiredis packs and parses."""

import socket
from typing import Any

import hiredis

from features.errors import Unavailable
from streaming.redis_sink.redis_commands import SCRIPTS

_CHUNK = 1 << 16


class Connection:
    """A connection with the writers' scripts loaded, each wait on it `timeout` seconds at most. Everything raises Unavailable
    where Redis does not do what it should; the connection is of no more use then."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise Unavailable(f"Redis at {host}:{port}: {error}") from error
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.send([hiredis.pack_command(("SCRIPT", "LOAD", script)) for script in SCRIPTS])
            self.answers(len(SCRIPTS))
        except BaseException:
            self.close()
            raise

    def send(self, commands: list[bytes]) -> None:
        try:
            self._socket.sendall(b"".join(commands))
        except OSError as error:
            raise Unavailable(f"Redis: {error}") from error

    def answers(self, count: int) -> list[Any]:
        """The next `count` answers, waited for."""
        found: list[Any] = []
        while len(found) < count:
            try:
                answer = self._reader.gets()
            except hiredis.ProtocolError as error:
                raise Unavailable(f"Redis: {error}") from error
            if answer is _NOTHING:
                self._receive()
            elif isinstance(answer, hiredis.ReplyError):
                raise Unavailable(f"Redis: {answer}")
            else:
                found.append(answer)
        return found

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except OSError as error:
            raise Unavailable(f"Redis: {error}") from error
        if not data:
            raise Unavailable("Redis has closed the connection")
        self._reader.feed(data)

    def close(self) -> None:
        self._socket.close()


_NOTHING = object()
