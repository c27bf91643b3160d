"""Lists and rankings under load, over HTTP, in a running home: `./martlet bench requests`.

Closed loops: each caller asks again as soon as it has its answer, for users of the home in random order. The callers are
threads of one process beside the server, on the same cores: what they cost is in the figures.
"""

import http.client
import json
import os
import random
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from benchmarks.harness.homes import Running
from benchmarks.harness.run_report import percentile
from benchmarks.harness.traffic import beside as traffic_beside
from infra.home.paths import Home

WITHIN = 10.0
WARM = 2.0
"""Seconds before the figures begin."""
IDLE = SETTLE = 3.0
"""Seconds in which idling is measured, and in which what answers left behind is done."""


@dataclass
class Answers:
    """ms of each good answer; how many of them were degraded; how many asks got none; all that was asked, the warm-up too."""

    ms: list[float] = field(default_factory=list)
    degraded: int = 0
    failed: int = 0
    asked: int = 0


class Asker:
    """What is asked: a user's list, or (given > 0) so many candidates to rank."""

    def __init__(self, model: str | None, size: int, given: int, users: list[int], items: list[int]) -> None:
        self._model, self._size, self._given = model, size, given
        self._users, self._items = users, items

    def ask(self, connection: http.client.HTTPConnection, chance: random.Random) -> http.client.HTTPResponse:
        user_id = chance.choice(self._users)
        more = {"model": self._model} if self._model else {}
        if self._given:
            body = json.dumps({"user_id": user_id, "item_ids": chance.sample(self._items, self._given), **more})
            connection.request("POST", "/v1/rank", body, {"Content-Type": "application/json"})
        else:
            connection.request(
                "GET", "/v1/recommendations?" + urlencode({"user_id": user_id, "size": self._size, **more})
            )
        return connection.getresponse()


def load(address: str, asker: Asker, callers: int, seconds: float) -> tuple[Answers, float]:
    """Ask from so many threads; the answers after the first WARM seconds, and how many came a second."""
    parts = urlsplit(address)
    start = time.monotonic() + WARM
    end = start + seconds
    everything = [Answers() for _ in range(callers)]

    def call(number: int) -> None:
        chance, mine = random.Random(number), everything[number]
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=WITHIN)
        try:
            while (began := time.monotonic()) < end:
                try:
                    answer = asker.ask(connection, chance)
                    body, good = answer.read(), answer.status == 200
                except (OSError, http.client.HTTPException):
                    connection.close()  # it opens again by itself
                    body, good = b"", False
                took = time.monotonic() - began
                mine.asked += 1
                if began < start:
                    continue
                if good:
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
        thread.join(seconds + WARM + 2 * WITHIN)
    whole = Answers()
    for each in everything:
        whole.ms += each.ms
        whole.failed += each.failed
        whole.degraded += each.degraded
        whole.asked += each.asked
    return whole, len(whole.ms) / seconds


def run(
    home: Path, model: str | None, callers: list[int], seconds: float, size: int, given: int, beside: float
) -> None:
    """Print a line for each number of callers. beside: events a second that stream in meanwhile."""
    running = Running(Home(home))
    base = running.base()
    asker = Asker(model, size, given, [int(each) for each in base.user_ids], sorted(base.catalogue))
    what = f"{given} candidates ranked" if given else f"lists of {size}"
    print(
        f"{what}, model {model or 'default'}, {beside:.0f} events/s beside, load average before {os.getloadavg()[0]:.1f}"
    )
    with traffic_beside(running, beside, (seconds + WARM) * len(callers) + 60, "requests"):
        with cost(running) as idle:
            time.sleep(IDLE)
        for count in callers:
            with cost(running) as shares:
                answers, rate = load(running.api, asker, count, seconds)
                time.sleep(SETTLE)
            if not answers.ms:
                print(f"  {count:3} callers: no answer")
                continue
            p50 = statistics.median(answers.ms)
            tail = ", ".join(f"p{q:g} {percentile(answers.ms, q / 100):.1f}" for q in (95, 99))
            print(
                f"  {count:3} callers: {rate:6.0f} a second, p50 {p50:.1f} ms, {tail}, worst {max(answers.ms):.1f}; "
                f"{answers.degraded} of {len(answers.ms)} degraded, {answers.failed} more failed"
            )
            print(f"      processor time each, ms: {_each(shares, idle, answers.asked, seconds + WARM + SETTLE)}")


@contextmanager
def cost(running: Running) -> Iterator[dict[str, float]]:
    """Processors that each of the home's processes kept busy; filled when the context ends."""
    shares: dict[str, float] = {}
    before, began = running.cpu_seconds(), time.monotonic()
    yield shares
    took = time.monotonic() - began
    shares |= {name: (after - before[name]) / took for name, after in running.cpu_seconds().items() if name in before}


def _each(shares: dict[str, float], idle: dict[str, float], asked: int, seconds: float) -> str:
    """What an answer cost each process, that is shares without what idling takes."""
    spent = {name: (share - idle.get(name, 0.0)) * seconds * 1000 / asked for name, share in shares.items()}
    parts = ", ".join(f"{name} {ms:.1f}" for name, ms in sorted(spent.items(), key=lambda each: -each[1]))
    return f"{sum(spent.values()):.1f} ({parts})"
