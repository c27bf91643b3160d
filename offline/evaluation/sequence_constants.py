"""What the training constants of sequence models are chosen by: `python -m offline.evaluation.sequence_constants`.

Each constant takes other values, one at a time. An encoder alone learns from the rows before the first ranking list, and ranks
the lists, which are all of the history. So no constant is chosen on rows that a figure is reported on: those all come after the
history.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.table import Table

from features.arrays import DoubleArray, IntArray
from features.errors import BadInput
from models.training.lessons.list_data import RankingLists, read_ranking_lists
from models.training.row_metrics import TOP, rank_gains
from models.training.runtime import import_tensorflow
from offline.console import run, step
from offline.evaluation.ranking_metrics import Bootstrap, Measure
from offline.evaluation.report import report_console

TRIED: Final[dict[str, tuple[float, ...]]] = {
    "smoothing": (0.0, 0.2, 0.4, 0.5),
    "hidden": (0.0, 0.1, 0.2, 0.3),
    "dropout": (0.0, 0.1, 0.2, 0.3),
    "not_positive": (0.0, 0.2, 0.5, 1.0),
    "passes": (8, 12, 16, 24),
    "batch": (32, 64, 128),
    "rate": (1e-3, 2e-3, 4e-3),
    "late_rate": (2e-4, 6e-4, 2e-3),
}
"""Values by the name of the constant (`models.training.fitting.encoder_ranks.EncoderConstants`)."""
RanksWith = Callable[[RankingLists, Any, int], IntArray]
"""Ranks as `models.training.fitting.encoder_ranks.encoder_ranks` does, with `EncoderConstants` and a seed."""
ALL: Final = "all"
FIRST_SEED: Final = 7


@dataclass(frozen=True)
class Compared:
    """A value of a constant, and what lists are worth with it.

    in_use              whether it is the value that models are trained with
    hr, ndcg            at 10, of all lists and seeds
    ndcg_of_seeds       of each seed: what differs between them is the chance of a training
    hr_gain, ndcg_gain  how much more than with the value in use, list by list, with the interval over users
    """

    constant: str
    value: float
    in_use: bool
    hr: float
    ndcg: float
    ndcg_of_seeds: tuple[float, ...]
    hr_gain: Measure
    ndcg_gain: Measure


def known_constants(names: Sequence[str]) -> tuple[str, ...]:
    """The constants of these names, ALL being each. Raises BadInput for a name that none has."""
    for name in names:
        if name not in (*TRIED, ALL):
            raise BadInput("--training-constant", f"one of {', '.join((*TRIED, ALL))}", name)
    return tuple(TRIED) if ALL in names else tuple(dict.fromkeys(names))


def compare(
    ranking_lists: RankingLists,
    names: Sequence[str],
    seeds: Sequence[int],
    ranks_with: RanksWith | None = None,
    tried: Mapping[str, tuple[float, ...]] = TRIED,
) -> Iterator[Compared]:
    """Each of the `tried` values of each of these constants, the others being those in use; the value in use is among them.
    ranks_with: ranks the lists with constants and a seed; an encoder that learns does if it is left out. Raises BadInput where
    lists came without histories, Broken where a training diverges."""
    import_tensorflow()
    from models.training.fitting.encoder_ranks import EncoderConstants, encoder_ranks

    ranks_with, in_use = ranks_with or encoder_ranks, EncoderConstants()
    users = np.concatenate([ranking_lists.train_lists.users, ranking_lists.validation_lists.users])
    bootstrap = Bootstrap(users)

    def gains_of(title: str, constants: EncoderConstants) -> list[dict[str, DoubleArray]]:
        """The gains of all lists, by seed."""
        found = []
        for seed in seeds:
            with step(f"{title}, seed {seed}") as this:
                found.append(rank_gains(ranks_with(ranking_lists, constants, seed)))
                this.note = f"NDCG@{TOP} {found[-1]['ndcg'].mean():.4f}"
        return found

    usual = gains_of("as in use", in_use)
    for name in names:
        set_value = getattr(in_use, name)
        for value in sorted({*tried[name], set_value}):
            is_set = value == set_value
            changed: dict[str, Any] = {name: value}
            found = usual if is_set else gains_of(f"{name} {value:g}", replace(in_use, **changed))
            means = {each: np.mean([gains[each] for gains in found], axis=0) for each in ("hr", "ndcg")}
            ahead = {each: means[each] - np.mean([gains[each] for gains in usual], axis=0) for each in means}
            yield Compared(
                name,
                value,
                is_set,
                float(means["hr"].mean()),
                float(means["ndcg"].mean()),
                tuple(float(gains["ndcg"].mean()) for gains in found),
                bootstrap.measure(ahead["hr"]),
                bootstrap.measure(ahead["ndcg"]),
            )


def print_compared(ranking_lists: RankingLists, rows: Sequence[Compared], seeds: Sequence[int]) -> None:
    lists = len(ranking_lists.train_lists) + len(ranking_lists.validation_lists)
    title = f"constants of sequence models, each alone: {lists} lists of the history from row {ranking_lists.first} on"
    of_seeds = f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}"
    table = Table(title=f"{title}, {of_seeds}", title_justify="left")
    gains = (f"HR@{TOP} over that in use", f"NDCG@{TOP} over that in use (95 %)")
    for name in ("constant", "value", f"HR@{TOP}", f"NDCG@{TOP}", "of each seed", "", *gains):
        table.add_column(name, no_wrap=True)
    for row in rows:
        by_seed = " ".join(f"{each:.4f}" for each in row.ndcg_of_seeds)
        ahead = ("", "") if row.in_use else (_signed(row.hr_gain), _signed(row.ndcg_gain))
        figures = (f"{row.value:g}", f"{row.hr:.4f}", f"{row.ndcg:.4f}", by_seed)
        table.add_row(row.constant, *figures, "in use" if row.in_use else "", *ahead)
    report_console().print(table)


def _signed(gain: Measure) -> str:
    return f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"


def main(argv: Sequence[str] | None = None, tried: Mapping[str, tuple[float, ...]] = TRIED) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m offline.evaluation.sequence_constants", description=__doc__)
    parser.add_argument("--asks", dest="ranking_lists", type=Path, required=True, help="ranking lists and sequences")
    parser.add_argument(
        "--training-constant", action="append", required=True, help=f"{', '.join((*TRIED, ALL))}; may be given again"
    )
    parser.add_argument("--seeds", type=int, default=3, help="so many trainings of each value (%(default)s)")
    given = parser.parse_args(argv)
    if given.seeds < 1:
        parser.error("--seeds must be at least 1")

    def choose() -> None:
        names, seeds = known_constants(given.training_constant), range(FIRST_SEED, FIRST_SEED + given.seeds)
        ranking_lists = read_ranking_lists(given.ranking_lists)
        for _, rows in groupby(compare(ranking_lists, names, seeds, tried=tried), lambda row: row.constant):
            print_compared(ranking_lists, tuple(rows), seeds)  # as each is done: all of them may take hours

    return run(choose)


if __name__ == "__main__":
    sys.exit(main())
