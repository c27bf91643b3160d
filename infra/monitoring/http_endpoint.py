"""The monitor's HTTP endpoint: /metrics for Prometheus, /sight for the API. Read only, served from memory."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

PATIENCE = 5.0
"""Timeout of a client's socket, seconds."""


class _Server(ThreadingHTTPServer):
    """Listens on a host's address, whichever version of IP that is of."""

    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        super().__init__((host, port), handler)


class MonitorPage:
    """Serves until it is closed. Raises OSError if the port is taken, or the host is none of this machine."""

    def __init__(
        self, port: int, registry: CollectorRegistry, report: Callable[[], Mapping[str, Any]], host: str = "127.0.0.1"
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = PATIENCE

            def do_GET(self) -> None:
                if self.path == "/sight":
                    self._answer(200, "application/json", json.dumps(report()).encode())
                elif self.path.split("?")[0] in ("/", "/metrics"):
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                else:
                    self._answer(404, "text/plain", b"there are /metrics and /sight\n")

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = _Server(host, port, Handler)
        threading.Thread(target=self._server.serve_forever, name="watch-page", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
