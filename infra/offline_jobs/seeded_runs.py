"""Evaluations from the data set on, one for each seed: ties in an order of the seed's, a base, training data, models trained with
the seed, and the walk. What differs between them is chance; a figure that is quoted is the mean of several."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from features.base.reader import Base
from features.durable import link_or_copy
from infra.home.paths import Home, read_json, write_json
from infra.home.record import HomeRecord
from infra.offline_jobs import runner
from infra.offline_jobs.evaluate import in_memory
from infra.offline_jobs.scratch import used_alone
from infra.settings.reading import value_of
from offline.datasets.tie_order import BY_ID
from offline.evaluation.report import report_console

FIRST_SEED: Final = 7
BY_HASH: Final = "hash"
TIES: Final = (BY_HASH, BY_ID)
FIGURES: Final = (
    ("HR@10", "results", "hr"),
    ("NDCG@10", "results", "ndcg"),
    ("NDCG@10 of users", "results", "ndcg of users"),
    ("page NDCG@10", "pages", "page ndcg"),
    ("HR@10 by page", "pages", "hr"),
    ("NDCG@10 by page", "pages", "ndcg"),
)
"""Title, part of the report, name of the measure in it. "By page": each ask by the first list of its page."""
REPORT: Final = "report.json"


def evaluate_anew(
    home: Home,
    number: int,
    names: list[str],
    seeds: int,
    ties: str,
    out: Path,
    print_line: Callable[[str], None],
    renewals: int = 0,
) -> None:
    """Make and walk all of it for each seed, in a folder of its own that is removed after it; the reports, with intervals over
    users, stay in `out`. Prints each figure's mean over the seeds, its smallest and its largest.

    ties: BY_ID, or BY_HASH for another order with each seed; renewals: how often all is made anew on the way, too. Raises
    MartletError if a step fails.
    """
    base = Base(home.bases / str(number))
    reports = {}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        work, report = Home(out / f"{ties}-{seed}" / "work"), out / f"{ties}-{seed}"
        print_line(f"seed {seed}: ties in the order of {'ids' if ties == BY_ID else 'a hash'}, in {report}")
        report.mkdir(parents=True, exist_ok=True)
        with used_alone(work.path, report / "work.lock"):
            shutil.rmtree(work.path, ignore_errors=True)
            try:
                _run_seed(
                    home, base, work, names, seed, BY_ID if ties == BY_ID else str(seed), report, print_line, renewals
                )
            finally:
                shutil.rmtree(work.path, ignore_errors=True)
        reports[str(seed)] = read_json(report / REPORT) or {}
    print_and_write(reports, ties, out)


def _run_seed(
    home: Home,
    base: Base,
    work: Home,
    names: list[str],
    seed: int,
    ties: str,
    out: Path,
    print_line: Callable[[str], None],
    renewals: int,
) -> None:
    work.make()
    name = str(base.manifest["dataset"])
    shutil.copytree(home.data / name, work.data / name)
    if home.schema_file.exists():
        shutil.copy(home.schema_file, work.schema_file)
    runner.run_module(["offline.datasets.tie_order", str(work.data / name), ties], work.logs / "ties.log", print_line)
    history = float(base.manifest["history"])
    stages = [work, *(Home(work.path / f"renewed-{number}").make() for number in range(1, renewals + 1))]
    for number, stage in enumerate(stages):
        if number:
            shutil.copytree(work.data / name, stage.data / name, copy_function=link_or_copy)
        if number and home.schema_file.exists():
            shutil.copy(home.schema_file, stage.schema_file)
        record = HomeRecord(stage)
        record.describe(str(stage.data / name), history + (1 - history) * number / len(stages))
        record.take_salt(HomeRecord(home).salt)
        record.save()
        runner.prepare(stage, record, 1, print_line, value_of(home, "spark.master", None))
        runner.train(stage, 1, names, print_line, seed=seed)
    in_memory(work, 1, names, False, False, out, print_line, stages[1:])


def print_and_write(reports: dict[str, Any], ties: str, out: Path) -> None:
    """Print the table over the reports, by seed, and write it to `out`/TIES.json."""
    first = next(iter(reports.values()))
    found: dict[str, dict[str, dict[str, float]]] = {}
    for method in first["results"]["all"]:
        found[method] = {}
        for title, part, measure in FIGURES:
            each = [_methods(report, part).get(method, {}).get(measure) for report in reports.values()]
            means = [value["mean"] for value in each if value]
            if means:
                found[method][title] = {
                    "mean": sum(means) / len(means),
                    "smallest": min(means),
                    "largest": max(means),
                    "low": each[0]["low"],
                    "high": each[0]["high"],
                }
    title = f"ties by {ties}, seeds {', '.join(reports)}: mean (smallest-largest)"
    table = Table(title=title, title_justify="left")
    for column in ("method", *(title for title, _, _ in FIGURES)):
        table.add_column(column, no_wrap=True)
    for method in sorted(found, key=lambda name: -found[name]["NDCG@10"]["mean"]):
        table.add_row(method, *(_cell(found[method].get(title)) for title, _, _ in FIGURES))
    report_console().print(table)
    write_json(out / f"{ties}.json", {"ties": ties, "seeds": list(reports), "methods": found})


def _methods(report: dict[str, Any], part: str) -> dict[str, Any]:
    methods: dict[str, Any] = report[part]["all"] if part == "results" else report[part]
    return methods


def _cell(figure: dict[str, float] | None) -> str:
    if figure is None:
        return ""
    return f"{figure['mean']:.4f} ({figure['smallest']:.3f}-{figure['largest']:.3f})"
