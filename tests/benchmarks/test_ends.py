"""A benchmark that is ended by a signal ends in order: what it has suspended would stand still for good."""

import re
import signal
import subprocess
import sys

import pytest

from tests.patience import patience

PROGRAM = """
import signal, time
from benchmarks.__main__ import end_in_order

signal.signal(signal.SIGHUP, signal.SIG_DFL)
end_in_order()
try:
    print("begun", flush=True)
    while True:  # in short steps: a signal on the way into one long sleep would not end it
        time.sleep(0.01)
finally:
    print("what was suspended goes on", flush=True)
"""
WITH_NOHUP = """
import os, signal
from benchmarks.__main__ import end_in_order

signal.signal(signal.SIGHUP, signal.SIG_IGN)
end_in_order()
os.kill(os.getpid(), signal.SIGHUP)
print("goes on")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_benchmark_in_order(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "begun\n"
        run.send_signal(number)
        said, _ = run.communicate(timeout=patience(60))
    assert said == "what was suspended goes on\n"


def test_with_nohup_a_benchmark_outlives_its_terminal() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITH_NOHUP], capture_output=True, text=True, timeout=patience(60), check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "goes on\n", "")


REFUSED = """
import sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
from benchmarks.__main__ import app, main


class Locked(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b'{"title": "expected a key"}')

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Locked)
threading.Thread(target=server.serve_forever, daemon=True).start()


@app.command()
def lists() -> None:
    httpx.get(f"http://127.0.0.1:{server.server_port}/", trust_env=False).raise_for_status()


sys.argv = ["bench", "lists"]
main()
"""


def test_an_api_that_refuses_is_one_line() -> None:
    """As one with keys does, of which a benchmark has none."""
    ended = subprocess.run(
        [sys.executable, "-c", REFUSED], capture_output=True, text=True, timeout=patience(60), check=False
    )
    assert re.fullmatch(r'martlet: http://127.0.0.1:\d+/: 401 {"title": "expected a key"}\n', ended.stderr), (
        ended.stderr
    )
    assert ended.returncode == 1
