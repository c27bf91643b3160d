"""A connection to Redis for pipelines whose replies are read later. hiredis packs and parses."""

from typing import Any

import hiredis

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import read_redirect
from features.errors import Unavailable
from streaming.redis_sink.redis_commands import SCRIPTS

_CHUNK = 1 << 16


class Connection:
    """A connection to a server, with the writers' scripts loaded; each wait takes `timeout` seconds at most. Every method raises
    Unavailable if Redis fails or does not reply; the connection is unusable then.

    has_redirects  whether a reply was a Redirect since somebody last set this to False
    """

    def __init__(self, address: RedisAddress, timeout: float) -> None:
        self.has_redirects = False
        self._endpoint = address.host, address.port
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        try:
            self._socket = address.open_socket(timeout)
        except OSError as error:
            raise Unavailable(f"Redis at {address}: {error}") from error
        try:
            first = [*address.greeting(), *(("SCRIPT", "LOAD", script) for script in SCRIPTS)]
            self.send([hiredis.pack_command(command) for command in first])
            self.read_replies(len(first))
        except BaseException:
            self.close()
            raise

    def send(self, commands: list[bytes]) -> None:
        """Send commands; however many they are, the server takes some of them within each wait. (With `sendall` it would have to
        take all within one.)"""
        left = memoryview(b"".join(commands))
        try:
            while left:
                left = left[self._socket.send(left) :]
        except OSError as error:
            raise Unavailable(f"Redis: {error}") from error

    def read_replies(self, count: int) -> list[Any]:
        """Wait for the next `count` replies and return them; in a cluster some may be a Redirect."""
        found: list[Any] = []
        while len(found) < count:
            try:
                reply = self._reader.gets()
            except hiredis.ProtocolError as error:
                raise Unavailable(f"Redis: {error}") from error
            if reply is _NOTHING:
                self._receive()
            elif isinstance(reply, hiredis.ReplyError):
                redirect = read_redirect(str(reply), self._endpoint)
                if redirect is None:
                    raise Unavailable(f"Redis: {reply}")
                self.has_redirects = True
                found.append(redirect)
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
