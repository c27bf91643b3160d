"""The open loop of lists: each is due by the clock, whatever became of those before it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

from benchmarks.latency.paced_lists import CALLERS, PacedLists
from tests.home import until

RATE = 200.0


@contextmanager
def api(held: threading.Event) -> Iterator[str]:
    """An API whose answers wait until `held` is set, then are a degraded list and an error in turn."""
    numbers = count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            held.wait(20)
            body = b'{"degraded":["no model"]}'
            self.send_response(200 if next(numbers) % 2 == 0 else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            held.set()
            server.shutdown()
            thread.join(10)


def test_lists_that_were_due_while_answers_stood_still_count_as_late() -> None:
    held = threading.Event()
    with api(held) as address, PacedLists(address, RATE, [1, 2]) as paced:
        assert not held.wait(1.0)
        held.set()
        until(lambda: len(paced.lists) > RATE, 20, "lists that were due are made up for")
    dues = {each.due for each in paced.lists}
    assert len(dues) == len(paced.lists)
    assert min(dues) + (RATE - 1) / RATE <= max(dues)
    assert sum(each.took > 0.5 for each in paced.lists) > CALLERS  # more than were on their way are late
    good = [each for each in paced.lists if each.good]
    assert abs(2 * len(good) - len(paced.lists)) <= CALLERS
    assert all(each.degraded for each in good)


def test_no_lists_are_requested_at_no_rate() -> None:
    with PacedLists("http://127.0.0.1:9", 0.0, [1]) as paced:
        pass
    assert paced.lists == []
