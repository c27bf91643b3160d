"""What the constants of the signals are chosen by: `python -m offline.evaluation.signal_constants`.

Each constant takes other values, one at a time, and ranks the lists of the history's last tenth, with weights between items made
of the rows before it. So no constant is chosen on rows that a figure is reported on: those all come after the history.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from rich.table import Table

from features.arrays import BoolArray, FloatArray, IntArray
from features.base.item_weights import Relations
from features.base.reader import Base
from features.inputs.moment import NOT_POSITIVE, Moment
from features.inputs.signals import EASE_FADE, EASE_SOURCES, RECENT_FADE, RECENT_LIKED
from features.recall.sparse import best, divided
from models.training.row_metrics import TOP
from offline.base.from_dataset import check_made_of
from offline.console import run, step
from offline.datasets.dataset import Dataset, open_dataset
from offline.evaluation.protocol import protocol_rows
from offline.evaluation.ranking_metrics import Queries, as_list, measure, ranks_of
from offline.evaluation.report import report_console
from offline.item_weights.build import nearest, taken, write_history_relations
from offline.item_weights.ease import LAMBDA, ease
from offline.settings import add_data_arguments
from offline.spark.session import spark_session
from offline.training_data.history_walk import HistoryWalk, item_ids

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TAIL: Final = 0.1
"""Share of the history, its end, that is walked."""
LAMBDAS: Final = (100.0, 200.0, 500.0, 1000.0)
SHARES: Final = (0.0, 0.1, 0.3, 0.5)
"""Of what was taken and not liked."""
EASE_FADES: Final = (0.97, 0.933, 0.9, 0.87)
RECENT_FADES: Final = (0.9, 0.85, 0.8, 0.7)


class Choice(NamedTuple):
    """A value of a constant of a signal; `used`: the one in use."""

    signal: str
    constant: str
    value: float
    used: bool


@dataclass(frozen=True)
class Variant:
    """A signal with other constants. ease: the weights in place of the walk's; fade, not_positive: see `Moment.sources`."""

    signal: str
    fade: float
    not_positive: float = NOT_POSITIVE
    ease: Relations | None = None

    def rows(self, moment: Moment) -> IntArray:
        """The best rows at a moment."""
        count = EASE_SOURCES if self.signal == "ease" else RECENT_LIKED
        sources = moment.sources(count, self.fade, self.not_positive)
        spread = _spread(moment, self.signal, self.ease, *sources, moment.allowed)
        return best(spread, TOP)


def _spread(
    moment: Moment, signal: str, weights: Relations | None, rows: IntArray, shares: FloatArray, allowed: BoolArray
) -> IntArray:
    if signal == "together":
        return divided(moment.items.together.spread(rows, shares, allowed), moment.standing.damping)
    return (weights or getattr(moment.items, signal)).spread(rows, shares, allowed)


def variants(users: IntArray, items: IntArray, weights: IntArray, ids: IntArray) -> Iterator[tuple[Choice, Variant]]:
    """Each constant's values, the others being those in use. users, items, weights: what was taken before the walked rows
    (`offline.item_weights.build.taken`); ids: [N] those of the index's rows."""

    def weighed(penalty: float, not_positive: float) -> Relations:
        known, linear = ease(users, items, weights, penalty=penalty, not_positive=not_positive)
        starts, columns, values = nearest(linear)
        return Relations(ids, known, starts, known[columns], values)

    for value in LAMBDAS:
        found = weighed(value, NOT_POSITIVE)
        yield Choice("ease", "LAMBDA", value, value == LAMBDA), Variant("ease", EASE_FADE, ease=found)
    for value in SHARES:
        of_ease = Variant("ease", EASE_FADE, value, weighed(LAMBDA, value))
        yield Choice("ease", "NOT_POSITIVE", value, value == NOT_POSITIVE), of_ease
    for value in EASE_FADES:
        yield Choice("ease", "EASE_FADE", value, value == EASE_FADE), Variant("ease", value)
    for signal in ("similar", "together"):
        for value in SHARES:
            of_recent = Variant(signal, RECENT_FADE, value)
            yield Choice(signal, "NOT_POSITIVE", value, value == NOT_POSITIVE), of_recent
        for value in RECENT_FADES:
            yield Choice(signal, "RECENT_FADE", value, value == RECENT_FADE), Variant(signal, value)


def compare(
    spark: "SparkSession", dataset: Dataset, base: Base, scratch: Path
) -> tuple[int, dict[Choice, tuple[float, float]]]:
    """The number of lists, and HR@10 and NDCG@10 of each choice. scratch: a folder for weights between items."""
    check_made_of(base, dataset)
    end = int(base.manifest["history_rows"])
    first, schema = int(end * (1 - TAIL)), base.schema
    with step("weights between items"):
        write_history_relations(spark, dataset, first, schema, scratch / "weights", scratch / "similar")
    ids = item_ids(dataset, end)
    walk = HistoryWalk(dataset, {item.item_id: item for item in dataset.items}, ids, scratch / "weights", schema)
    tried = dict(variants(*taken(dataset, first, schema), ids))
    lists: dict[Choice, list[IntArray]] = {choice: [] for choice in tried}
    queries = Queries()
    with step("lists") as this:
        for row in protocol_rows(dataset, schema, first, end, queries):
            if row.is_query:
                moment = walk.moment(row.event)
                for choice, variant in tried.items():
                    lists[choice].append(as_list(ids[variant.rows(moment)]))
            walk.fold(row.event)
        this.note = f"{len(queries.users)} of the rows {first} to {end - 1}"
    users, found = np.asarray(queries.users, np.int64), {}
    for choice, rows in lists.items():
        figures = measure(ranks_of(np.array(rows).reshape(-1, TOP), queries.wanted), users)
        found[choice] = (figures["hr"].mean, figures["ndcg"].mean) if figures else (0.0, 0.0)
    return len(users), found


def print_choices(lists: int, found: dict[Choice, tuple[float, float]]) -> None:
    table = Table(title=f"constants of signals, each alone: {lists} lists of the history's end", title_justify="left")
    for name in ("signal", "constant", "value", f"HR@{TOP}", f"NDCG@{TOP}", ""):
        table.add_column(name, no_wrap=True)
    for choice, (hr, ndcg) in found.items():
        in_use = "in use" if choice.used else ""
        table.add_row(choice.signal, choice.constant, f"{choice.value:g}", f"{hr:.4f}", f"{ndcg:.4f}", in_use)
    report_console().print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m offline.evaluation.signal_constants", description=__doc__)
    add_data_arguments(parser)
    parser.add_argument("--base", type=Path, required=True, help="the base that the home started from")
    given = parser.parse_args(argv)

    def choose() -> None:
        base = Base(given.base)
        dataset = open_dataset(given.dataset, given.data_dir, base.schema)
        with (
            tempfile.TemporaryDirectory(prefix="martlet-constants-") as scratch,
            spark_session(Path(scratch), dataset.rows) as spark,
        ):
            print_choices(*compare(spark, dataset, base, Path(scratch)))

    return run(choose)


if __name__ == "__main__":
    sys.exit(main())
