"""What all benchmarks share: percentiles, and a report of several runs with the load average beside them."""

import json
import math
import os
import platform
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

Figure = float | int | str | None
WIDTH = 160
"""Of tables that go to a file."""
LOAD = "load average over 1 min"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie (nearest rank). Raises IndexError where there are none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def spread(name: str, values: Sequence[float]) -> dict[str, Figure]:
    """p50, p95, p99 and worst of `values`, as figures of a run; None where there are none."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    figures: dict[str, Figure] = {
        f"{name}, {label}": percentile(values, share) if len(values) else None for label, share in shares.items()
    }
    figures[f"{name}, worst"] = max(values) if len(values) else None
    return figures


def load() -> float:
    """The machine's load average over the last minute."""
    return round(os.getloadavg()[0], 2)


def show_figure(value: Figure) -> str:
    """A figure for people: whole numbers whole, others to three places that count."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{min(4, max(0, 2 - math.floor(math.log10(abs(value)))))}f}"


class Report:
    """The figures of several runs, by group (what was varied; a benchmark that varies nothing has one, named "")."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.options = dict(options)
        self.began = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.groups: dict[str, list[dict[str, Figure]]] = {}
        self.notes: list[str] = []
        self._console = Console(soft_wrap=True)
        if not self._console.is_terminal:
            self._console.width = WIDTH

    def add(self, figures: Mapping[str, Figure], group: str = "") -> None:
        """One run; the load average of now goes beside its figures (if they hold none), and one line says that it is done."""
        runs = self.groups.setdefault(group, [])
        runs.append({LOAD: load(), **figures})
        shown = ", ".join(f"{name} {show_figure(value)}" for name, value in list(figures.items())[:4])
        self._console.print(f"run {len(runs)}{f' of {group}' if group else ''}: {shown}", highlight=False)

    def note(self, text: str) -> None:
        """Say a line, and keep it with the figures."""
        self.notes.append(text)
        self._console.print(text, highlight=False)

    def medians(self, group: str = "") -> dict[str, Figure]:
        """The median of each figure over the runs of a group that have it; words only where all runs agree."""
        medians: dict[str, Figure] = {}
        for name in {name: None for run in self.groups[group] for name in run}:
            values = [run[name] for run in self.groups[group] if run.get(name) is not None]
            numbers = [float(value) for value in values if value is not None and not isinstance(value, str)]
            if numbers:
                medians[name] = statistics.median(numbers)
            else:
                medians[name] = values[0] if values and len(set(values)) == 1 else None
        return medians

    def show(self) -> None:
        """A table a group: one row a figure, one column a run, and the median."""
        for group, runs in self.groups.items():
            columns = [Column("figure", no_wrap=True)]
            columns += [Column(f"run {number}", justify="right") for number in range(1, len(runs) + 1)]
            table = Table(*columns, Column("median", justify="right"), box=SIMPLE_HEAD, title=group or None)
            for name, median in self.medians(group).items():
                table.add_row(
                    name, *(show_figure(run.get(name)) for run in runs), f"[bold]{show_figure(median)}[/bold]"
                )
            self._console.print(table)

    def show_medians(self) -> None:
        """One table of medians: a row a figure, a column a group."""
        groups = list(self.groups)
        runs = max(len(runs) for runs in self.groups.values())
        title = f"medians of {runs} run{'s' if runs > 1 else ''}"
        columns = [Column(group, justify="right") for group in groups]
        table = Table(Column("figure", no_wrap=True), *columns, box=SIMPLE_HEAD, title=title)
        medians = {group: self.medians(group) for group in groups}
        for name in {name: None for group in groups for name in medians[group]}:
            table.add_row(name, *(show_figure(medians[group].get(name)) for group in groups))
        self._console.print(table)

    def save(self, path: Path | None) -> None:
        """The raw figures as JSON, if a file is asked for."""
        if path is None:
            return
        value = {
            "benchmark": self.name,
            "began": self.began,
            "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()},
            "options": self.options,
            "notes": self.notes,
            "groups": {group: {"runs": runs, "medians": self.medians(group)} for group, runs in self.groups.items()},
        }
        path.write_text(json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


@contextmanager
def work_folder() -> Iterator[Path]:
    """A temporary folder, removed at the end. SIGTERM ends the program as Ctrl-C does, so that what it started stops."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="martlet-bench-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
