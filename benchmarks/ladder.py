"""Lists of a running home while some of its processes are stopped: `./martlet bench ladder`.

Each rung is caused by stopping processes (SIGSTOP); a hundred lists are requested one after another, then the processes go on.
It affects everybody who uses the home meanwhile.
"""

import http.client
import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.faults.suspended import suspended
from benchmarks.harness.homes import Running
from features.errors import BadInput
from infra.home.paths import Home

LISTS = 100
TIMEOUT = 10.0
RECOVERY_TIMEOUT = 60.0
RUNGS = {
    "full": (),
    "Redis stopped": ("redis",),
    "model server stopped": ("model-server",),
    "both stopped": ("redis", "model-server"),
    "both and Kafka stopped": ("redis", "model-server", "kafka"),
}
"""Rung → services that are stopped."""


@contextmanager
def stopped(running: Running, names: tuple[str, ...]) -> Iterator[None]:
    """Stop the named services while the context lasts; they go on afterwards whatever happens."""
    with suspended(*(running.services()[name].pid for name in names)):
        yield


class _ListClient:
    def __init__(self, address: str, user: int) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
        self._path = f"/v1/recommendations?user_id={user}&size=5"

    def list(self) -> tuple[float, int, dict[str, Any]]:
        """Request a list; returns (ms, status, body)."""
        began = time.monotonic()
        self._connection.request("GET", self._path)
        response = self._connection.getresponse()
        body = response.read()
        return (time.monotonic() - began) * 1000, response.status, json.loads(body)


def run(home: Path, user: int) -> None:
    """Print a line for each rung."""
    running = Running(Home(home))
    wanted = {name for names in RUNGS.values() for name in names}
    if lacking := wanted - running.services().keys():
        raise BadInput(
            "--home",
            "a home with one Redis, Kafka and model server of its own",
            f"{home} without {', '.join(sorted(lacking))}",
        )
    client = _ListClient(running.api, user)
    for _ in range(LISTS):  # warm
        client.list()
    print(f"{LISTS} lists of 5 for user {user} on each rung, load average before {os.getloadavg()[0]:.1f}")
    for rung, names in RUNGS.items():
        with stopped(running, names):
            responses = [client.list() for _ in range(LISTS)]
        took = [ms for ms, _, _ in responses]
        statuses = sorted({status for _, status, _ in responses})
        degraded = ", ".join(responses[-1][2]["degraded"]) or "nothing missing"
        times = f"first {took[0]:.1f} ms, worst {max(took):.1f}, p50 {statistics.median(took):.1f}"
        whole = f"whole again after {_recovery_seconds(client):.1f} s"
        print(f"  {rung:<24} statuses {statuses}, {times}; the last: {degraded}; {whole}")


def _recovery_seconds(client: _ListClient) -> float:
    """Returns the seconds until a list is complete again. Raises TimeoutError after RECOVERY_TIMEOUT."""
    began = time.monotonic()
    while client.list()[2]["degraded"]:
        if time.monotonic() - began > RECOVERY_TIMEOUT:
            raise TimeoutError(f"lists still miss something after {RECOVERY_TIMEOUT:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - began
