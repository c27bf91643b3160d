"""Time from a click to a list that includes it, over HTTP, one after another: `./martlet bench`.

Each click is a POST of a like by one user, who is in no data set; once it is acknowledged, a list is requested with the token
of that POST. A list without the click applied counts as a miss, and is reported.
"""

import os
import statistics
import time
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.harness.homes import Running
from benchmarks.harness.run_report import percentile
from benchmarks.harness.traffic import FIRST_USER, background_events
from infra.home.paths import Home

USER: Final = FIRST_USER - 1
"""In no data set: what a benchmark writes stays in the log, and is nobody's taste."""


def run(home: Path, clicks: int, background_rate: float) -> None:
    """Print p50 and p99 of each leg, ms. background_rate: events a second that stream in meanwhile."""
    running = Running(Home(home))
    post_ms, list_ms, fold_ms, missed = [], [], [], 0
    with (
        background_events(running, background_rate, clicks / 5 + 60, "clicks"),
        httpx.Client(base_url=running.api, timeout=10, trust_env=False) as client,
    ):
        items = [item["item_id"] for item in _list(client)["items"]]
        for number in range(clicks + 10):
            event = {"type": "like", "user_id": USER, "item_id": items[number % len(items)]}
            began = time.perf_counter()
            response = client.post("/v1/events", json=event)
            acknowledged = time.perf_counter()
            response.raise_for_status()
            body = _list(client, response.json()["seen"])
            list_received_at = time.perf_counter()
            if number < 10:  # the first ones warm connections and caches
                continue
            missed += body["freshness"]["seen_applied"] is not True
            fold_ms.append(float(body["freshness"]["applied_in_ms"]))
            post_ms.append((acknowledged - began) * 1000)
            list_ms.append((list_received_at - acknowledged) * 1000)
    load = os.getloadavg()[0]
    print(
        f"{clicks} clicks one after another, {background_rate:.0f} events/s beside, load average {load:.1f}, "
        f"{missed} lists without the click"
    )
    for name, values in (
        ("click → acknowledged", post_ms),
        ("acknowledged → list with it applied", list_ms),
        ("broker → features readable", fold_ms),
    ):
        print(
            f"  {name:<38} p50 {statistics.median(values):6.1f} ms   p99 {percentile(values, 0.99):6.1f} ms   "
            f"worst {max(values):6.1f} ms"
        )


def _list(client: httpx.Client, seen: str | None = None) -> dict[str, Any]:
    parameters = {"user_id": USER, "size": 20} | ({"seen": seen} if seen else {})
    response = client.get("/v1/recommendations", params=parameters)
    response.raise_for_status()
    body: dict[str, Any] = response.json()
    return body
