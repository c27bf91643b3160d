"""What lists are like while parts of a running home stand still: `./martlet bench ladder`.

Each rung is provoked by stopping processes (SIGSTOP); a hundred lists are asked for one after another, and the processes go on.
It is a fault for everybody who uses the home meanwhile.
"""

import http.client
import json
import os
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness.homes import Running
from infra.home.paths import Home

LISTS = 100
WITHIN = 10.0
WHOLE_WITHIN = 60.0
RUNGS = {
    "full": (),
    "Redis stopped": ("redis",),
    "model server stopped": ("model-server",),
    "both stopped": ("redis", "model-server"),
    "both and Kafka stopped": ("redis", "model-server", "kafka"),
}
"""By name the services that stand still."""


@contextmanager
def stopped(running: Running, names: tuple[str, ...]) -> Iterator[None]:
    """They go on whatever happens."""
    pids = [running.services()[name].pid for name in names]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class _Asker:
    def __init__(self, address: str, user: int) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=WITHIN)
        self._path = f"/v1/recommendations?user_id={user}&size=5"

    def list(self) -> tuple[float, int, dict[str, Any]]:
        """(ms, status, the answer)."""
        began = time.monotonic()
        self._connection.request("GET", self._path)
        answer = self._connection.getresponse()
        body = answer.read()
        return (time.monotonic() - began) * 1000, answer.status, json.loads(body)


def run(home: Path, user: int) -> None:
    """Print a line for each rung."""
    running = Running(Home(home))
    asker = _Asker(running.api, user)
    for _ in range(LISTS):  # warm
        asker.list()
    print(f"{LISTS} lists of 5 for user {user} on each rung, load average before {os.getloadavg()[0]:.1f}")
    for rung, names in RUNGS.items():
        with stopped(running, names):
            answers = [asker.list() for _ in range(LISTS)]
        took = [ms for ms, _, _ in answers]
        statuses = sorted({status for _, status, _ in answers})
        degraded = ", ".join(answers[-1][2]["degraded"]) or "nothing missing"
        times = f"first {took[0]:.1f} ms, worst {max(took):.1f}, p50 {statistics.median(took):.1f}"
        print(
            f"  {rung:<24} statuses {statuses}, {times}; the last: {degraded}; whole again after {_whole_again(asker):.1f} s"
        )


def _whole_again(asker: _Asker) -> float:
    """Seconds until a list misses nothing. Raises TimeoutError where that does not come."""
    began = time.monotonic()
    while asker.list()[2]["degraded"]:
        if time.monotonic() - began > WHOLE_WITHIN:
            raise TimeoutError(f"lists still miss something after {WHOLE_WITHIN:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - began
