"""Percentiles, and the report of several runs of a benchmark with the machine's load average."""

import json
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

Figure = float | int | str | None
WIDTH = 160
"""Width of tables that go to a file."""
LOAD = "load average over 1 min"


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the value below which `share` of the values are (nearest rank). Raises IndexError if there are none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def spread(name: str, values: Sequence[float]) -> dict[str, Figure]:
    """Returns p50, p95, p99 and worst of `values`, as figures of a run; None if there are none."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    figures: dict[str, Figure] = {
        f"{name}, {label}": percentile(values, share) if len(values) else None for label, share in shares.items()
    }
    figures[f"{name}, worst"] = max(values) if len(values) else None
    return figures


def load() -> float:
    """Returns the machine's load average over the last minute."""
    return round(os.getloadavg()[0], 2)


def show_figure(value: Figure) -> str:
    """Format a figure: whole numbers in full, others to three significant digits."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{min(4, max(0, 2 - math.floor(math.log10(abs(value)))))}f}"


class Report:
    """Figures of several runs, by group (the varied parameter; a benchmark that varies nothing has one group, "")."""

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
        """Add one run, with the present load average unless the figures include one, and print a line."""
        runs = self.groups.setdefault(group, [])
        runs.append({LOAD: load(), **figures})
        shown = ", ".join(f"{name} {show_figure(value)}" for name, value in list(figures.items())[:4])
        self._console.print(f"run {len(runs)}{f' of {group}' if group else ''}: {shown}", highlight=False)

    def note(self, text: str) -> None:
        """Print a line, and save it with the figures."""
        self.notes.append(text)
        self._console.print(text, highlight=False)

    def medians(self, group: str = "") -> dict[str, Figure]:
        """Returns the median of each figure over the runs of a group that have it; a text only if all runs agree."""
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
        """Print a table per group: one row per figure, one column per run, and the median."""
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
        """Print one table of medians: a row per figure, a column per group."""
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
        """Write the raw figures as JSON, if a path is given."""
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
    """Provide a temporary folder, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="martlet-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
