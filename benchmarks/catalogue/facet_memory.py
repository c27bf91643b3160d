"""Facets of a large catalogue, `./martlet bench facets`: memory of the index, time to build it, of a filter and of a change. In
this process; values are drawn by a power law, as categories of shops are.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from benchmarks.harness.run_report import Report, spread
from online.stores.facets import FacetIndex, facet_index

POWER = 0.8
FILTERS = 500


def draw_values(items: int, values: int, each: int, rng: np.random.Generator) -> Iterator[list[str]]:
    """Yields the values of one item after another, `each` draws an item."""
    shares = np.arange(1, values + 1) ** -POWER
    cumulated = np.cumsum(shares / shares.sum())
    names = [f"category {number}" for number in range(values)]
    for start in range(0, items, 10_000):
        drawn = np.searchsorted(cumulated, rng.random((min(10_000, items - start), each)))
        for row in np.minimum(drawn, values - 1).tolist():
            yield [names[number] for number in set(row)]


def run(items: int, values: int, each: int, json_file: Path | None) -> None:
    report = Report("facets", {"items": items, "values": values, "values an item": each})
    for count in sorted({min(50, values), values}):
        rng = np.random.default_rng(7)
        process = psutil.Process()
        before, began = process.memory_info().rss, time.monotonic()
        index = facet_index(draw_values(items, count, each, rng))
        built = time.monotonic() - began
        report.add(
            {
                "MB of the process": (process.memory_info().rss - before) / 1e6,
                "MB of arrays": index.nbytes / 1e6,
                "s to build": built,
                **spread("ms of a filter", _filters(index, items, count, rng)),
                **spread("µs of a change", _changes(index, items, count, rng)),
            },
            f"{items:,} items, {count:,} values",
        )
        del index
    report.save(json_file)


def _filters(index: FacetIndex, items: int, values: int, rng: np.random.Generator) -> list[float]:
    took = []
    for number in rng.integers(0, values, FILTERS):
        began = time.perf_counter_ns()
        mask = np.zeros(items, bool)
        mask[index.rows(f"category {number}")] = True
        took.append((time.perf_counter_ns() - began) / 1e6)
    return took


def _changes(index: FacetIndex, items: int, values: int, rng: np.random.Generator) -> list[float]:
    took = []
    for row, number in zip(
        rng.integers(0, items, FILTERS).tolist(), rng.integers(0, values, FILTERS).tolist(), strict=True
    ):
        began = time.perf_counter_ns()
        index.put(row, [f"category {number}"])
        took.append((time.perf_counter_ns() - began) / 1e3)
    return took
