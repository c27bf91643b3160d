"""The base, its training samples and ranking lists, one after the other in one Spark session; or the base alone, or what is
still missing of samples and lists.

python -m offline.prepare --dataset NAME_OR_FOLDER --data-dir D --history 0.8 --out BASES_DIR/NUMBER --samples DIR --asks DIR
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from features.base.reader import Base
from offline.base.forgotten_users import open_left
from offline.base.from_dataset import base_number, make_base
from offline.console import run, step
from offline.datasets.dataset import cut_row
from offline.settings import (
    BaseSettings,
    RankingListSettings,
    SampleSettings,
    add_base_arguments,
    add_ranking_list_arguments,
    add_sample_arguments,
    base_settings,
    ranking_list_settings,
    sample_settings,
)
from offline.spark.session import spark_session
from offline.training_data.ranking_lists import make_ranking_lists
from offline.training_data.rows import check, make_samples

ALL, BASE, TRAINING_DATA = "all", "base", "training-data"


def prepare(
    settings: BaseSettings,
    samples: Path,
    sampling: SampleSettings,
    ranking_lists: Path,
    list_settings: RankingListSettings,
    part: str = ALL,
) -> None:
    """Make a part of them. A base, or samples of a new one, that exist already are refused before anything starts; a base stays
    if the samples fail, and TRAINING_DATA goes on from it, by the schema of that base."""
    if part != TRAINING_DATA:
        base_number(settings.out)
    if part == ALL:
        check(sampling, samples)
    with step("data set") as this:
        schema = Base(settings.out).schema if part == TRAINING_DATA else settings.read_schema()
        dataset = open_left(settings.dataset, settings.data_dir, schema, settings.out.parent)
        this.note = f"{dataset.name}, {dataset.rows} events, {len(dataset.items)} items"
    cut_row(dataset, settings.history)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    samples.parent.mkdir(parents=True, exist_ok=True)
    with spark_session(settings.out.parent, dataset.rows, settings.master) as spark:
        if part != TRAINING_DATA:
            with step("base") as this:
                manifest = make_base(spark, dataset, settings.history, settings.out, schema, settings.partitions)
                this.note = f"number {manifest['number']}, {manifest['users']} users, {manifest['items']} items"
        if part == BASE:
            return
        if not samples.exists():
            with step("samples") as this:
                meta = make_samples(spark, dataset, Base(settings.out), samples, sampling)
                this.note = f"{meta['samples']}, {meta['positives']} of them positive"
        if not ranking_lists.exists():
            with step("asks") as this:
                meta = make_ranking_lists(spark, dataset, Base(settings.out), ranking_lists, list_settings)
                this.note = f"{meta['asks']} from row {meta['first']} on"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m offline.prepare", description="Make a base and its samples.")
    add_base_arguments(parser)
    parser.add_argument("--samples", type=Path, required=True, help="the folder of samples to make")
    add_sample_arguments(parser)
    parser.add_argument("--asks", dest="ranking_lists", type=Path, required=True, help="the folder of asks to make")
    add_ranking_list_arguments(parser)
    parser.add_argument(
        "--part", choices=(ALL, BASE, TRAINING_DATA), default=ALL, help="the base alone, or all but it (%(default)s)"
    )
    given = parser.parse_args(argv)

    def work() -> None:
        sampling, list_settings = sample_settings(given), ranking_list_settings(given)
        prepare(base_settings(given), given.samples, sampling, given.ranking_lists, list_settings, given.part)

    return run(work)


if __name__ == "__main__":
    sys.exit(main())
