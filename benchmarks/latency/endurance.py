"""`bench endurance`: do latencies and memory stay flat while events and lists come at once, for half an hour?

Both are open loops (`benchmarks.harness.paced_producer`, `benchmarks.latency.paced_lists`). Figures are told for PARTS equal
parts of the time; at the end `verify` recomputes everything.
"""

import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

import numpy as np

from benchmarks.harness.event_latency import MS, NEVER, Sent, Timestamps
from benchmarks.harness.homes import Running
from benchmarks.harness.run_report import Figure, Report, spread, work_folder
from benchmarks.harness.traffic import Plan, traffic
from benchmarks.latency.over_time import Panel, in_windows, plot
from benchmarks.latency.paced_lists import PacedLists, TimedList
from features.arrays import DoubleArray
from features.errors import Broken, Unavailable
from infra.home.paths import Home

PARTS: Final = 5
WINDOWS: Final = 180
"""Points of each line of the plot, at most."""
SAMPLE_EVERY: Final = 5.0
"""Seconds between two looks at the processes' memory: a window holds two, or the line would have gaps."""
START: Final = 60.0
"""Seconds after which the figures begin: connections, caches and what is compiled on first use are warm then."""


class MemorySamples:
    """Looks at the resident memory of a home's processes until the context ends."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.samples: list[tuple[float, dict[str, int]]] = []
        """Monotonic s, and MiB by process."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY):
            self.samples.append((time.monotonic(), self._running.memory()))

    def by_process(self, edges: DoubleArray) -> dict[str, DoubleArray]:
        """Returns the largest memory of each process in each window, MiB; 0 where it did not run, NaN where nobody looked."""
        at = np.array([when for when, _ in self.samples])
        window = np.searchsorted(edges, at, side="right") - 1
        names = sorted({name for _, found in self.samples for name in found})
        lines = {name: np.full(len(edges) - 1, np.nan) for name in names}
        for number in set(window.tolist()) & set(range(len(edges) - 1)):
            seen = [found for (_, found), each in zip(self.samples, window, strict=True) if each == number]
            for name, line in lines.items():
                line[number] = max(found.get(name, 0) for found in seen)
        return lines


def part_figures(
    start: float, end: float, sent: Sent, readable: Timestamps, lists: list[TimedList], memory: MemorySamples
) -> dict[str, Figure]:
    """Returns the figures of the events and lists that were due between two moments (monotonic s)."""
    mine = (sent.due >= start * 1e9) & (sent.due < end * 1e9)
    came = mine & (readable != NEVER)
    due_here = [each for each in lists if start <= each.due < end]
    whole = [sum(found.values()) for at, found in memory.samples if start <= at < end]
    return {
        **spread("event: acknowledged → readable, ms", ((readable[came] - sent.acked[came]) / MS).tolist()),
        **spread("list: due → there, ms", [each.took * 1000 for each in due_here if each.good]),
        "events": int(mine.sum()),
        "events never readable": int(mine.sum() - came.sum()),
        "lists": len(due_here),
        "lists failed": sum(not each.good for each in due_here),
        "lists degraded": sum(each.good and each.degraded for each in due_here),
        "memory of all processes, MiB, most": max(whole, default=None),
    }


def windows_of(seconds: float) -> int:
    """Returns how many windows a plot of so many seconds has.

    >>> windows_of(1800), windows_of(60), windows_of(1)
    (180, 6, 1)
    """
    return max(1, min(WINDOWS, int(seconds / (2 * SAMPLE_EVERY))))


def draw(
    path: Path,
    start: float,
    end: float,
    sent: Sent,
    readable: Timestamps,
    lists: list[TimedList],
    memory: MemorySamples,
) -> None:
    """Plot latencies of events and lists and memory by process between two moments (monotonic s)."""
    edges = np.linspace(start, end, windows_of(end - start) + 1)
    came = readable != NEVER
    events = in_windows(sent.due[came] / 1e9, (readable[came] - sent.acked[came]) / MS, edges)
    good = [each for each in lists if each.good]
    took = in_windows(np.array([each.due for each in good]), np.array([each.took * 1000 for each in good]), edges)
    panels = [
        Panel("event → readable, ms", events, logarithmic=True),
        Panel("list, ms", took, logarithmic=True),
        Panel("memory, MiB", memory.by_process(edges)),
    ]
    plot(path, f"{len(sent.due):,} events, {len(lists):,} lists", edges[:-1] - start, panels, ())


def measure(running: Running, plan: Plan, lists: float, report: Report, picture: Path | None) -> None:
    """Report the figures of the parts. Raises Broken if `verify` finds a difference."""
    users = [int(each) for each in running.films().user_ids]
    if not running.api:
        raise Unavailable("the home runs without an API: there is nobody to give lists")
    with (
        work_folder() as folder,
        MemorySamples(running) as memory,
        traffic(running, plan, folder, "endurance") as both,
        PacedLists(running.api, lists, users) as paced,
    ):
        began = time.monotonic() + START
        time.sleep(max(0.0, plan.seconds - 1))
        end = time.monotonic()
        sent, _, readable = both.finish(plan.seconds + 120)
    edges = np.linspace(began, end, PARTS + 1)
    for number, (start, until) in enumerate(pairwise(edges.tolist())):
        report.add(part_figures(start, until, sent, readable, paced.lists, memory), f"part {number + 1} of {PARTS}")
    if picture is not None:
        draw(picture, began, end, sent, readable, paced.lists, memory)
    equal, line = running.verify()
    report.note(f"verify: {line}")
    if not equal:
        raise Broken(f"verify: {line}")


def run(
    home: Path, rate: float, lists: float, minutes: float, users: int, picture: Path | None, json: Path | None
) -> None:
    """Print and save the figures of a running home."""
    options = {"home": home, "rate": rate, "lists": lists, "minutes": minutes, "users": users}
    report = Report("endurance", options)
    try:
        measure(Running(Home(home)), Plan(rate, minutes * 60 + START, users), lists, report, picture)
    finally:
        if report.groups:
            report.show_medians()
        report.save(json)
