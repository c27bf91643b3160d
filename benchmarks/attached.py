"""`bench attached`: what a home costs whose Kafka, Redis and Flink were there before, beside one that starts its own.

Both are measured by turns on one machine, each on engines of the same settings: lists of one caller and of eight, and the time
from an event's acknowledgement until it is readable, at a steady rate.
"""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.harness.engines.apart import engines_apart
from benchmarks.harness.homes import Running
from benchmarks.harness.run_report import Figure, Report, work_folder
from benchmarks.harness.started_home import started
from benchmarks.harness.traffic import Plan
from benchmarks.latency.requests import Workload, load
from benchmarks.latency.steady import measure

EMBEDDED, ATTACHED = "embedded", "attached"
CALLERS: Final = (1, 8)
SECONDS: Final = 10.0
SIZE: Final = 20
USERS: Final = 1_000
EVENT_SECONDS, EVENT_WARM = 40.0, 20.0


@contextmanager
def home_of(kind: str, folder: Path, history: Path | None) -> Iterator[Running]:
    """Provide a running home, attached to engines of their own or not."""
    if kind == EMBEDDED:
        with started(folder / "home", history, "") as running:
            yield running
    else:
        with engines_apart(folder / "engines") as settings, started(folder / "home", history, settings) as running:
            yield running


def figures_of(running: Running, rate: float, folder: Path) -> dict[str, Figure]:
    """Returns the figures of lists, then of events."""
    base = running.films()
    workload = Workload(None, SIZE, 0, [int(each) for each in base.user_ids], sorted(base.catalogue))
    figures: dict[str, Figure] = {}
    for callers in CALLERS:
        responses, a_second = load(running.api, workload, callers, SECONDS)
        figures[f"lists a second, {callers} callers"] = a_second
        figures[f"lists of {callers} callers, p50, ms"] = statistics.median(responses.ms)
        figures[f"lists of {callers} callers, failed"] = responses.failed
    return figures | measure(running, Plan(rate, EVENT_SECONDS, USERS), EVENT_WARM, folder, "attached", None)


def run(history: Path | None, runs: int, rate: float, json: Path | None) -> None:
    """Print and save the figures of `runs` runs of each kind, by turns."""
    report = Report("attached", {"history": history, "runs": runs, "rate": rate})
    try:
        for _ in range(runs):
            for kind in (EMBEDDED, ATTACHED):
                with work_folder() as folder, home_of(kind, folder, history) as running:
                    report.add(figures_of(running, rate, folder), kind)
    finally:
        report.show()
        report.save(json)
