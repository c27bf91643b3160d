"""Servers that are only to answer: each address is asked beside the others, and the silent one is named."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from features.errors import Unavailable
from infra.monitoring.probed_servers import probed_servers
from tests.flink_stub import flink_stub
from tests.strange_listeners import address_of, silent_listener

PROCESSES = 4


@contextmanager
def waiting_for_all() -> Iterator[list[str]]:
    """Lends the addresses of processes of which none answers before each has been asked."""
    together = threading.Barrier(PROCESSES)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            together.wait(10)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ExitStack() as stack:
        addresses = []
        for _ in range(PROCESSES):
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join, 10)
            stack.callback(server.shutdown)
            addresses.append(address_of(server.socket))
        yield addresses


def test_processes_are_asked_beside_each_other() -> None:
    with waiting_for_all() as addresses:
        api, _ = probed_servers(lambda: dict.fromkeys(addresses, ""), dict)
        assert api.answers()


def test_the_process_that_hangs_is_named_with_its_log_and_no_other() -> None:
    with flink_stub() as well, silent_listener() as silent:
        logs = {well.address: "logs/api.log", address_of(silent): "logs/api-2.log"}
        api, _ = probed_servers(lambda: logs, dict)
        for _ in range(2):  # the second time it may be busy with the first question
            with pytest.raises(Unavailable) as caught:
                api.answers()
            assert address_of(silent) in str(caught.value)
            assert "(logs/api-2.log)" in str(caught.value)
            assert well.address not in str(caught.value)


def test_a_model_server_that_hangs_is_named_by_its_port_for_grpc() -> None:
    with silent_listener() as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        _, model_server = probed_servers(dict, lambda: {address: ""})
        with pytest.raises(Unavailable, match=f"{address} has not answered within 2 s"):
            model_server.answers()
