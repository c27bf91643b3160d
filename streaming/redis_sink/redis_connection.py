"""A connection to Redis for pipelines whose replies are read later. hiredis packs and parses."""

import socket
from typing import Any

import hiredis

from features.errors import Unavailable
from streaming.redis_sink.redis_commands import SCRIPTS

_CHUNK = 1 << 16


class Connection:
    """A connection with the writers' scripts loaded; each wait takes `timeout` seconds at most. Every method raises
    Unavailable if Redis fails or does not reply; the connection is unusable then."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise Unavailable(f"Redis at {host}:{port}: {error}") from error
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.send([hiredis.pack_command(("SCRIPT", "LOAD", script)) for script in SCRIPTS])
            self.read_replies(len(SCRIPTS))
        except BaseException:
            self.close()
            raise

    def send(self, commands: list[bytes]) -> None:
        try:
            self._socket.sendall(b"".join(commands))
        except OSError as error:
            raise Unavailable(f"Redis: {error}") from error

    def read_replies(self, count: int) -> list[Any]:
        """Wait for the next `count` replies and return them."""
        found: list[Any] = []
        while len(found) < count:
            try:
                reply = self._reader.gets()
            except hiredis.ProtocolError as error:
                raise Unavailable(f"Redis: {error}") from error
            if reply is _NOTHING:
                self._receive()
            elif isinstance(reply, hiredis.ReplyError):
                raise Unavailable(f"Redis: {reply}")
            else:
                found.append(reply)
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
