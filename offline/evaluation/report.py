"""An evaluation for people: a table on the console, and report.json, report.html with its plots as PNG files."""

import html
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from features.arrays import IntArray
from features.errors import BadInput
from offline.evaluation.ranking_metrics import MEASURES, OF_USERS, Measure, Queries, measure, ranks_of

Results = dict[str, dict[str, dict[str, Measure]]]
"""Group of queries → method → measures."""
SideTables = dict[str, dict[str, dict[str, float]]]
"""Title of a table → method → column → value: figures other than ranks."""
WIDTH: Final = 170
"""Of tables that go to a file."""


def report_console() -> Console:
    """A console as wide as its terminal, or as a table needs."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def results(queries: Queries, lists: dict[str, IntArray]) -> Results:
    """Measures of every method's lists [A, TOP] over every group that has queries. Raises BadInput if there are none."""
    if not queries.users:
        raise BadInput("rows to evaluate", "at least one of a weight above 0, of an item known before", "none")
    users = np.asarray(queries.users, np.int64)
    ranks = {method: ranks_of(method_lists, queries.wanted) for method, method_lists in lists.items()}
    groups = {name: inside for name, inside in queries.slices().items() if inside.any()}
    return {
        group: {method: measure(values[inside], users[inside]) for method, values in ranks.items()}
        for group, inside in groups.items()
    }


def print_table(console: Console, title: str, queries: Queries, found: Results) -> None:
    """Print HR@10 and NDCG@10 of all queries with their intervals, and of the groups that the protocol names."""
    sizes = {name: int(inside.sum()) for name, inside in queries.slices().items()}
    groups = [group for group in ("session starts", "no event before", "1-5 before") if group in found]
    table = Table(title=f"{title}: {sizes['all']} asks of {len(set(queries.users))} users", title_justify="left")
    head = ("method", "HR@10", "NDCG@10", "MRR@10", "mean of users", *(f"{group} ({sizes[group]})" for group in groups))
    for name in head:
        table.add_column(name, no_wrap=True)
    order = sorted(found["all"], key=lambda method: -found["all"][method]["ndcg"].mean)
    for method in order:
        whole = [_interval(found["all"][method][name]) for name in MEASURES]
        parts = [_hr_and_ndcg(found[group][method]) for group in groups]
        table.add_row(method, *whole, _hr_and_ndcg(found["all"][method], OF_USERS), *parts)
    console.print(table)


def _hr_and_ndcg(of: dict[str, Measure], name: str = "{}") -> str:
    return " / ".join(f"{of[name.format(measure)].mean:.3f}" for measure in ("hr", "ndcg"))


def page_table(pages: dict[str, dict[str, Measure]]) -> dict[str, dict[str, float]]:
    """Measures of pages (`offline.evaluation.page_metrics`) as a side table, the best first."""
    order = sorted(pages, key=lambda method: -pages[method]["page ndcg"].mean)
    return {method: {name: value.mean for name, value in pages[method].items()} for method in order}


def _interval(value: Measure) -> str:
    return f"{value.mean:.4f} ({value.low:.3f}-{value.high:.3f})"


def print_side_tables(console: Console, side_tables: SideTables) -> None:
    for title, methods in side_tables.items():
        table = Table(title=title, title_justify="left")
        columns = _columns(methods)
        for name in ("method", *columns):
            table.add_column(name, no_wrap=True)
        for method, values in methods.items():
            table.add_row(method, *(_number(values.get(name)) for name in columns))
        console.print(table)


def _columns(methods: dict[str, dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for values in methods.values() for name in values))


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def write_report(
    folder: Path,
    facts: dict[str, Any],
    queries: Queries,
    found: Results,
    late: dict[str, Results],
    side_tables: SideTables,
    pages: dict[str, dict[str, Measure]],
) -> None:
    """Write report.json, report.html and the plots into `folder`. late: how late features were → results; pages: method →
    measures of pages."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {name: int(inside.sum()) for name, inside in queries.slices().items()}
    report = {
        "facts": facts,
        "asks": sizes,
        "results": _plain(found),
        "pages": _plain({"all": pages})["all"],
        "late": {name: _plain(each) for name, each in late.items()},
        "asides": side_tables,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    plots = {"groups.png": _plot_groups(folder, found, sizes)}
    if late:
        plots["freshness.png"] = _plot_late(folder, found, late)
    (folder / "report.html").write_text(_page(facts, sizes, found, plots, side_tables))


def _plain(found: Results) -> dict[str, Any]:
    return {
        group: {
            method: {name: asdict(value) for name, value in measures.items()} for method, measures in methods.items()
        }
        for group, methods in found.items()
    }


def _axes(height: float) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot, *pyplot.subplots(figsize=(9, height), layout="constrained")


def _plot_groups(folder: Path, found: Results, sizes: dict[str, int]) -> str:
    methods = sorted(found["all"], key=lambda method: -found["all"][method]["ndcg"].mean)[:6]
    pyplot, figure, axes = _axes(5)
    groups = list(found)
    for at, method in enumerate(methods):
        values = [found[group][method]["ndcg"] for group in groups]
        where = np.arange(len(groups)) + (at - len(methods) / 2) * 0.13
        means = np.array([value.mean for value in values])
        spread = np.abs(np.array([[value.low, value.high] for value in values]).T - means)
        axes.bar(where, means, 0.12, yerr=spread, label=method, error_kw={"linewidth": 0.7})
    axes.set_xticks(np.arange(len(groups)), [f"{group}\n{sizes[group]}" for group in groups], fontsize=7, rotation=30)
    axes.set_ylabel("NDCG@10, with 95 % intervals")
    axes.legend(fontsize=8)
    figure.savefig(folder / "groups.png", dpi=110)
    pyplot.close(figure)
    return "NDCG@10 by group of asks (number of asks below its name)"


def _plot_late(folder: Path, found: Results, late: dict[str, Results]) -> str:
    pyplot, figure, axes = _axes(4)
    names = ["live", *late]
    for method in next(iter(late.values()))["all"]:
        values = [each["all"][method]["ndcg"].mean for each in (found, *late.values())]
        axes.plot(names, values, marker="o", label=method)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("how late features are")
    axes.set_ylabel("NDCG@10")
    axes.legend(fontsize=8)
    figure.savefig(folder / "freshness.png", dpi=110)
    pyplot.close(figure)
    return "What freshness is worth: the same lists from features that are late"


def _page(
    facts: dict[str, Any], sizes: dict[str, int], found: Results, plots: dict[str, str], side_tables: SideTables
) -> str:
    def row(cells: list[str], kind: str = "td") -> str:
        return "<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in cells) + "</tr>"

    tables = []
    for group, methods in found.items():
        order = sorted(methods, key=lambda method: -methods[method]["ndcg"].mean)
        rows = [row([method, *(_interval(methods[method][name]) for name in MEASURES)]) for method in order]
        head = row(["method", "HR@10", "NDCG@10", "MRR@10"], "th")
        tables.append(f"<h2>{html.escape(group)} ({sizes[group]} asks)</h2><table>{head}{''.join(rows)}</table>")
    for title, figures in side_tables.items():
        columns = _columns(figures)
        rows = [row([method, *(_number(values.get(name)) for name in columns)]) for method, values in figures.items()]
        tables.insert(
            1, f"<h2>{html.escape(title)}</h2><table>{row(['method', *columns], 'th')}{''.join(rows)}</table>"
        )
    facts_table = row(["what", "value"], "th") + "".join(row([name, str(value)]) for name, value in facts.items())
    images = "".join(
        f'<figure><img src="{name}" alt="{html.escape(text)}"><figcaption>{html.escape(text)}</figcaption></figure>'
        for name, text in plots.items()
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Martlet: how good the lists are</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
td, th {{ padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #8884 }}
img {{ max-width: 100% }} figure {{ margin: 1rem 0 }}
</style>
<h1>How good the lists are</h1>
<p>Rows in time order; before each row that a list could have brought the system is asked, among all items known so far
but those that are hidden from the user, and only then learns the row. Means, with 95 % intervals from a bootstrap over users.</p>
{images}{"".join(tables)}<h2>Made of</h2><table>{facts_table}</table></html>
"""
