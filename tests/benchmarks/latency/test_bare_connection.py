"""The bare connection of a benchmark's callers: whole responses, however they are cut, and a failure for what is none."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.latency.bare_connection import BareConnection


@contextmanager
def answering(*responses: list[bytes]) -> Iterator[BareConnection]:
    """A connection to a server that sends one response for each request, in these parts, and closes where there is none."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for parts in responses:
                with server.accept()[0] as caller:
                    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    for part in parts:
                        time.sleep(0.005)  # each part by itself
                        if part == b"next":
                            caller.recv(4096)
                        else:
                            caller.sendall(part)

        thread = threading.Thread(target=serve)
        thread.start()
        made = BareConnection(f"http://127.0.0.1:{server.getsockname()[1]}", 5.0)
        try:
            yield made
        finally:
            made.close()
            thread.join(5)


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def test_responses_come_whole_however_they_are_cut() -> None:
    refused = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length:0\r\nretry-after: 1\r\n\r\n"
    with answering([b"next", WHOLE[:7], WHOLE[7:40], WHOLE[40:], b"next", refused]) as connection:
        assert connection.get("/one") == (200, b"hello")
        assert connection.post_json("/two", b"{}") == (503, b"")


@pytest.mark.parametrize("cut", [0, 10, len(WHOLE) - 1])
def test_a_response_that_is_cut_fails_and_the_next_request_connects_again(cut: int) -> None:
    with answering([b"next", WHOLE[:cut]], [b"next", WHOLE]) as connection:
        with pytest.raises(OSError, match="closed before the response had ended"):
            connection.get("/")
        assert connection.get("/") == (200, b"hello")


def test_a_response_without_a_length_fails() -> None:
    with answering([b"next", b"HTTP/1.1 200 OK\r\n\r\n"]) as connection, pytest.raises(OSError, match="how long"):
        connection.get("/")
