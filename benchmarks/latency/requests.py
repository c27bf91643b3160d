"""Lists and rankings under load, over HTTP, in a running home: `./martlet bench requests`.

Closed loops: each caller sends its next request as soon as it has the response, for users of the home in random order. The
callers are threads of one process on the server's machine: their cost, some .05 ms a request, is in the figures.
"""

import json
import os
import random
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.harness.homes import Running, processor_shares
from benchmarks.harness.run_report import percentile
from benchmarks.harness.traffic import background_events
from benchmarks.latency.bare_connection import BareConnection
from infra.home.paths import Home

TIMEOUT = 10.0
WARM = 2.0
"""Seconds before the figures begin."""
REFUSED = 503
REST = 0.1
"""Seconds after which a caller that was refused for load comes again."""
IDLE = SETTLE = 3.0
"""Seconds in which idling is measured, and in which work left behind by requests finishes."""


@dataclass
class Responses:
    """Milliseconds of each good response, and of each refusal for load (503); how many of the good ones were degraded; how many
    requests failed otherwise; all requests, with the warm-up."""

    ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
    degraded: int = 0
    failed: int = 0
    requests: int = 0


class Workload:
    """Sends requests: for a user's list, or (given > 0) to rank so many candidates."""

    def __init__(self, model: str | None, size: int, given: int, users: list[int], items: list[int]) -> None:
        self._model, self._size, self._given = model, size, given
        self._users, self._items = users, items

    def send(self, connection: BareConnection, rng: random.Random) -> tuple[int, bytes]:
        """(status, body) of the response. Raises OSError for none."""
        user_id = rng.choice(self._users)
        more = {"model": self._model} if self._model else {}
        if self._given:
            body = json.dumps({"user_id": user_id, "item_ids": rng.sample(self._items, self._given), **more})
            return connection.post_json("/v1/rank", body.encode())
        return connection.get("/v1/recommendations?" + urlencode({"user_id": user_id, "size": self._size, **more}))


def load(address: str, workload: Workload, callers: int, seconds: float) -> tuple[Responses, float]:
    """Send requests from `callers` threads; returns the responses after the first WARM seconds, and their rate a second."""
    start = time.monotonic() + WARM
    end = start + seconds
    everything = [Responses() for _ in range(callers)]

    def call(number: int) -> None:
        rng, mine = random.Random(number), everything[number]
        connection = BareConnection(address, TIMEOUT)
        try:
            while (began := time.monotonic()) < end:
                try:
                    status, body = workload.send(connection, rng)
                except OSError:
                    status, body = 0, b""
                took = time.monotonic() - began
                mine.requests += 1
                if status == REFUSED:
                    time.sleep(REST)
                if began < start:
                    continue
                if status == REFUSED:
                    mine.refused_ms.append(took * 1000)
                elif status == 200:
                    mine.ms.append(took * 1000)
                    mine.degraded += b'"degraded":[]' not in body
                else:
                    mine.failed += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + WARM + 2 * TIMEOUT)
    whole = Responses()
    for each in everything:
        whole.ms += each.ms
        whole.refused_ms += each.refused_ms
        whole.failed += each.failed
        whole.degraded += each.degraded
        whole.requests += each.requests
    return whole, len(whole.ms) / seconds


def run(
    home: Path, model: str | None, callers: list[int], seconds: float, size: int, given: int, background_rate: float
) -> None:
    """Print a line for each number of callers. background_rate: events a second that stream in meanwhile."""
    running = Running(Home(home))
    base = running.films()
    workload = Workload(model, size, given, [int(each) for each in base.user_ids], sorted(base.catalogue))
    what = f"{given} candidates ranked" if given else f"lists of {size}"
    print(
        f"{what}, model {model or 'default'}, {background_rate:.0f} events/s beside, load average before {os.getloadavg()[0]:.1f}"
    )
    with background_events(running, background_rate, (seconds + WARM) * len(callers) + 60, "requests"):
        with processor_shares(running) as idle:
            time.sleep(IDLE)
        for count in callers:
            with processor_shares(running) as shares:
                responses, rate = load(running.api, workload, count, seconds)
                time.sleep(SETTLE)
            if not responses.ms:
                print(f"  {count:3} callers: no answer")
                continue
            p50 = statistics.median(responses.ms)
            tail = ", ".join(f"p{q:g} {percentile(responses.ms, q / 100):.1f}" for q in (95, 99))
            print(
                f"  {count:3} callers: {rate:6.0f} a second, p50 {p50:.1f} ms, {tail}, worst {max(responses.ms):.1f}; "
                f"{responses.degraded} of {len(responses.ms)} degraded, {responses.failed} more failed"
            )
            if responses.refused_ms:
                offered, late = len(responses.refused_ms) / seconds + rate, percentile(responses.refused_ms, 0.99)
                print(f"      {offered:.0f} a second asked for; {len(responses.refused_ms)} refused, p99 {late:.1f} ms")
            print(f"      processor time each, ms: {_each(shares, idle, responses.requests, seconds + WARM + SETTLE)}")


def _each(shares: dict[str, float], idle: dict[str, float], requests: int, seconds: float) -> str:
    """Format the processor time per request of each process, less that of idling."""
    spent = {name: (share - idle.get(name, 0.0)) * seconds * 1000 / requests for name, share in shares.items()}
    parts = ", ".join(f"{name} {ms:.1f}" for name, ms in sorted(spent.items(), key=lambda each: -each[1]))
    return f"{sum(spent.values()):.1f} ({parts})"
