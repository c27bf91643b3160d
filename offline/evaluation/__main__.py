"""`python -m offline.evaluation`: replay the rows after a base's history, and report how good each method's lists are."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from features.base.reader import RELATIONS, Base
from features.errors import BadInput
from features.inputs.signals import RECALL_SIGNALS, SIGNALS
from features.units import HOUR_MS, MINUTE_MS, SECOND_MS
from models.registry import Manifest, list_models, version_folder
from models.training.runtime import code_revision, peak_megabytes
from offline.base.from_dataset import check_made_of
from offline.console import run
from offline.datasets.dataset import Dataset, open_dataset
from offline.evaluation.beyond_accuracy import beyond, item_population
from offline.evaluation.methods.count_blend import CountBlend
from offline.evaluation.methods.embedding_methods import EmbeddingMethod
from offline.evaluation.methods.model_methods import ModelMethod, manifest_of
from offline.evaluation.page_metrics import page_results
from offline.evaluation.peers.exchange import read_peers
from offline.evaluation.prequential import NEVER, Lesson, Method, QueryLists, by_fusion_of_ranks, by_signal, prequential
from offline.evaluation.renewed import Stage, renewed_lists
from offline.evaluation.report import (
    SideTables,
    page_table,
    print_side_tables,
    print_table,
    report_console,
    results,
    write_report,
)
from offline.settings import add_data_arguments

LATE: Final = {
    "1 s": SECOND_MS,
    "30 s": 30 * SECOND_MS,
    "1 min": MINUTE_MS,
    "5 min": 5 * MINUTE_MS,
    "1 h": HOUR_MS,
    "never": NEVER,
}
"""Delays of features, in ms, for the curve of what freshness is worth."""
YARDSTICK: Final = "counts, blended and learning"


def _methods(models: Path, manifests: Sequence[Manifest], embeddings: Path | None) -> dict[str, Method]:
    methods: dict[str, Method] = {f"signal {name}": by_signal(name) for name in SIGNALS}
    if embeddings is not None:
        kinds = sorted(folder.name for folder in embeddings.iterdir() if folder.is_dir())
        methods |= {f"embedding {kind}": EmbeddingMethod(embeddings / kind) for kind in kinds}
    methods["fusion of all signals' ranks"] = by_fusion_of_ranks(tuple(RECALL_SIGNALS))
    return methods | {
        f"model {each.name}": ModelMethod(version_folder(models, each.name, each.version)) for each in manifests
    }


def evaluate(
    dataset: Dataset,
    base: Base,
    models: Path,
    names: Sequence[str],
    out: Path,
    late: bool = False,
    embeddings: Path | None = None,
    peers: Path | None = None,
    ranking_lists: Path | None = None,
    renewed: Sequence[Stage] = (),
    positives: int = 0,
) -> None:
    """Print the tables and write the report. peers: lists of other libraries, as `offline.evaluation.peers` writes them;
    ranking_lists: what the yardstick begins with; renewed: what models are made anew as on the way, and go on between by slices
    of so many `positives`, which is a method beside the others.

    Each model is evaluated by its newest version that has learned from nothing after the base's history. Raises BadInput where
    nothing comes after that, or a model has no such version.
    """
    check_made_of(base, dataset)
    first = int(base.manifest["history_rows"])
    if first >= dataset.rows:
        raise BadInput("--base", "one with rows after its history", f"all {dataset.rows} rows are history")
    began = time.monotonic()
    console = report_console()
    yardstick = CountBlend(ranking_lists)
    manifests = [manifest_of(models, name, base) for name in names]
    methods = _methods(models, manifests, embeddings) | {YARDSTICK: yardstick}
    catalogue, relations = {item.item_id: item for item in dataset.items}, base.folder / RELATIONS
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:

        def found_lists(
            label: str, which: dict[str, Method], late_ms: int, lessons: Sequence[Lesson] = ()
        ) -> QueryLists:
            task = progress.add_task(label, total=dataset.rows - first)
            found = prequential(
                dataset, catalogue, relations, base.schema, first, which, late_ms, lessons,
                lambda row: progress.update(task, completed=row + 1 - first),
            )  # fmt: skip
            progress.update(task, completed=dataset.rows - first)
            return found

        label = "features live, weights as trained"
        queries, lists, page_lists = found_lists(label, methods, 0, (yardstick.learn,))
        if renewed:
            with TemporaryDirectory(prefix="martlet-slices-") as work:
                stages = [Stage(base, models), *renewed]
                task = progress.add_task("weights that learn", total=dataset.rows - first)
                learned = renewed_lists(
                    dataset, catalogue, stages, names, Path(work), positives,
                    lambda row: progress.update(task, completed=row + 1 - first),
                )  # fmt: skip
            lists |= learned.lists
            page_lists |= learned.page_lists
        others = read_peers(peers) if peers else {}
        lists |= {f"library {name}": peer.lists for name, peer in others.items()}
        found = results(queries, lists)
        print_table(console, label, queries, found)
        of, pages = item_population(dataset, first), page_results(queries, page_lists)
        side_tables: SideTables = {
            f"pages ({len(next(iter(page_lists.values())))}): one list before what a user did in one second; hr and ndcg: of "
            "each ask by the first list of its page": page_table(pages),
            "the lists themselves": {method: beyond(method_lists, of) for method, method_lists in lists.items()},
        }
        if names:
            side_tables["models on lists or rows newer than they learned from"] = {
                each.name: each.metrics for each in manifests
            }
        if others:
            side_tables["other libraries, seconds"] = {
                name: {"to learn": peer.learned, "for all asks": peer.query_seconds} for name, peer in others.items()
            }
        print_side_tables(console, side_tables)
        few = {name: methods[name] for name in ("signal ease", *(f"model {name}" for name in names))}
        curve = {}
        for label, ms in LATE.items() if late else ():
            late_queries, late_lists, _ = found_lists(label, few, ms)
            curve[label] = results(late_queries, late_lists)
            print_table(console, f"features late by {label}", queries, curve[label])
    facts = {
        "data set": f"{dataset.name}, {dataset.rows} rows, the first {first} history",
        "base": base.manifest["number"],
        "code": code_revision() or "unknown",
        "seed": "7 (of the intervals)",
        "seconds": round(time.monotonic() - began, 1),
        "peak memory, MB": peak_megabytes(),
    }
    write_report(out, facts, queries, found, curve, side_tables, pages)
    console.print(f"{facts['seconds']} s, peak memory {facts['peak memory, MB']} MB; report: {out / 'report.html'}")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m offline.evaluation", description=__doc__)
    add_data_arguments(parser)
    parser.add_argument("--base", type=Path, required=True, help="the base that the home started from")
    parser.add_argument("--models", type=Path, required=True, help="folder that holds one folder a model")
    parser.add_argument("--model", action="append", help="may be given again (all that are published)")
    parser.add_argument("--embeddings", type=Path, help="folder of embeddings, as offline.embeddings makes them")
    parser.add_argument("--peers", type=Path, help="file of lists, as offline.evaluation.peers makes it")
    parser.add_argument(
        "--asks", dest="ranking_lists", type=Path, help="ranking lists, for the yardstick to begin with"
    )
    parser.add_argument(
        "--renewed",
        action="append",
        nargs=2,
        type=Path,
        default=[],
        metavar=("BASE", "MODELS"),
        help="a later base and models that know nothing after its history, which rank from there on: a method beside the others",
    )
    parser.add_argument("--positives", type=int, default=0, help="with --renewed: so many likes make a slice")
    parser.add_argument("--late", action="store_true", help="also with features that are late: what freshness is worth")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    given = parser.parse_args(argv)
    return run(
        lambda: evaluate(
            open_dataset(given.dataset, given.data_dir, Base(given.base).schema),
            Base(given.base),
            given.models,
            given.model or list_models(given.models),
            given.out,
            given.late,
            given.embeddings,
            given.peers,
            given.ranking_lists,
            [Stage(Base(base), models) for base, models in given.renewed],
            given.positives,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
