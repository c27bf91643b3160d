"""A connection of a caller that costs little: a request is written at once, and of a response no more is read than its status and
its body. The callers of a benchmark run on the server's machine, and `http.client` takes twice as long."""

import socket
from typing import Final
from urllib.parse import urlsplit

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"\r\ncontent-length:"
CHUNK: Final = 1 << 16


class BareConnection:
    """A connection to an address, for one thread; it opens with the next request, and again after a failure.

    timeout: seconds that each step may take
    """

    def __init__(self, address: str, timeout: float) -> None:
        parts = urlsplit(address)
        self._host, self._port, self._timeout = parts.hostname or "", parts.port or 80, timeout
        self._socket: socket.socket | None = None

    def get(self, path: str) -> tuple[int, bytes]:
        """(status, body) of the response to GET. Raises OSError where none comes, or none with the length of its body."""
        return self._call(f"GET {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n\r\n".encode())

    def post_json(self, path: str, body: bytes) -> tuple[int, bytes]:
        """As `get`, of POST with a JSON body."""
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nContent-Type: application/json\r\n"
        return self._call(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _call(self, request: bytes) -> tuple[int, bytes]:
        try:
            return self._answer(request)
        except ValueError as error:
            self.close()
            raise OSError(f"what came is no HTTP: {error}") from error
        except OSError:
            self.close()
            raise

    def _answer(self, request: bytes) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection((self._host, self._port), self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        received = b""
        while HEAD_END not in received:
            received += self._more()
        head, _, body = received.partition(HEAD_END)
        _, found, length = head.lower().partition(LENGTH)
        if not found:
            raise OSError("the response does not say how long it is")
        missing = int(length.partition(b"\r\n")[0]) - len(body)
        while missing > 0:
            part = self._more()
            body += part
            missing -= len(part)
        return int(head.split(b" ", 2)[1]), body

    def _more(self) -> bytes:
        assert self._socket is not None
        received = self._socket.recv(CHUNK)
        if not received:
            raise ConnectionResetError("the connection was closed before the response had ended")
        return received
