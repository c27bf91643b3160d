"""A small stand-in for Flink's REST interface, for answers that a real cluster does not give on demand."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Flink(ThreadingHTTPServer):
    """Answers what `answers` holds for a path, notes what was asked, and is slow where `pause` says so."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, object] = {}
        self.asked: list[tuple[str, str, object]] = []
        self.pause = 0.0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Flink

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None))
        time.sleep(self.server.pause)
        raw = json.dumps(self.server.answers.get(self.path)).encode()
        self.send_response(200 if self.path in self.server.answers else 404)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_PATCH = do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def flink_stub() -> Iterator[Flink]:
    """Starts the stand-in, without answers yet; stops it at the end."""
    with Flink() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
