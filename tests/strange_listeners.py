"""Listeners that are no good HTTP servers: one says nothing, one speaks another protocol, one stops halfway."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer

from features.engines.loopback import LOOPBACK


@contextmanager
def silent_listener() -> Iterator[socket.socket]:
    """Lends a socket that listens and never answers, as a stopped process does."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener


def address_of(listener: socket.socket) -> str:
    """Returns the HTTP address that somebody would take a listener for."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"


def connections_to(listener: socket.socket) -> int:
    """Returns how many have connected to a silent listener since the last time this was asked."""
    listener.setblocking(False)
    found = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return found
        found += 1


@contextmanager
def mail_server() -> Iterator[str]:
    """Lends the HTTP address that somebody would take a server for which greets as one of mail does."""
    with _served(_Greeting) as address:
        yield address


@contextmanager
def halting_server() -> Iterator[str]:
    """Lends the address of an HTTP server that answers with an error, and stops in the middle of it."""
    with _served(_Half) as address:
        yield address


@contextmanager
def _served(handler: type[StreamRequestHandler]) -> Iterator[str]:
    with ThreadingTCPServer((LOOPBACK, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield address_of(server.socket)
        finally:
            server.shutdown()
            thread.join(10)


class _Greeting(StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():  # a connection that is closed with something unread in it is reset
            pass
        self.wfile.write(b"220 hello\r\n")


class _Half(StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\nhalf of ")
        while self.rfile.readline():  # until the caller has gone
            pass
