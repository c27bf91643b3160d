"""The base, its training samples and asks, one after the other in one Spark session.

python -m offline.prepare --dataset NAME_OR_FOLDER --data-dir D --history 0.8 --out BASES_DIR/NUMBER --samples DIR --asks DIR
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from features.base import Base
from offline.asks import make_asks
from offline.base import base_number, make_base
from offline.datasets import cut_row, open_dataset
from offline.samples import check, make_samples
from offline.settings import (
    AskSettings,
    BaseSettings,
    SampleSettings,
    add_ask_arguments,
    add_base_arguments,
    add_sample_arguments,
    ask_settings,
    base_settings,
    sample_settings,
)
from offline.spark import spark_session
from offline.steps import run, step


def prepare(settings: BaseSettings, samples: Path, sampling: SampleSettings, asks: Path, asking: AskSettings) -> None:
    """Make all of them. What is there already is refused before anything starts; a base stays if the samples fail."""
    base_number(settings.out)
    check(sampling, samples)
    with step("data set") as this:
        dataset = open_dataset(settings.dataset, settings.data_dir)
        this.note = f"{dataset.name}, {dataset.rows} ratings, {len(dataset.items)} items"
    cut_row(dataset, settings.history)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    samples.parent.mkdir(parents=True, exist_ok=True)
    with spark_session(settings.out.parent, settings.master) as spark:
        with step("base") as this:
            manifest = make_base(spark, dataset, settings.history, settings.out)
            this.note = f"number {manifest['number']}, {manifest['users']} users, {manifest['items']} items"
        with step("samples") as this:
            meta = make_samples(spark, dataset, Base(settings.out), samples, sampling)
            this.note = f"{meta['samples']}, {meta['positives']} of them positive"
        with step("asks") as this:
            meta = make_asks(spark, dataset, Base(settings.out), asks, asking)
            this.note = f"{meta['asks']} from row {meta['first']} on"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m offline.prepare", description="Make a base and its samples.")
    add_base_arguments(parser)
    parser.add_argument("--samples", type=Path, required=True, help="the folder of samples to make")
    add_sample_arguments(parser)
    parser.add_argument("--asks", type=Path, required=True, help="the folder of asks to make")
    add_ask_arguments(parser)
    given = parser.parse_args(argv)
    return run(
        lambda: prepare(base_settings(given), given.samples, sample_settings(given), given.asks, ask_settings(given))
    )


if __name__ == "__main__":
    sys.exit(main())
