"""What a home costs while nobody does anything, `./martlet bench rest`: how many processors each of its processes keeps busy."""

import time
from pathlib import Path

from benchmarks.harness.homes import Running, processor_shares
from benchmarks.harness.run_report import Report
from infra.home.paths import Home


def run(home: Path, seconds: float, runs: int, json: Path | None) -> None:
    """Print the figures. home: one that nobody uses meanwhile, and that has run for some minutes, as a standby TaskManager is
    warmed a minute after the job's start. Raises Unavailable if nothing runs in it."""
    running = Running(Home(home))
    report = Report("rest", {"seconds": seconds})
    for _ in range(runs):
        with processor_shares(running) as shares:
            time.sleep(seconds)
        report.add({"all processes": sum(shares.values()), **shares})
    report.show_medians()
    report.save(json)
