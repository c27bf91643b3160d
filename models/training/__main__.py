"""`python -m models.training`: train models on samples and publish what passes the gate."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from features.errors import MartletError
from models import nets
from models.training.runtime import import_tensorflow


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.training", description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="folder with Parquet samples, maps.json, meta.json")
    parser.add_argument(
        "--asks", type=Path, dest="ranking_lists", help="folder of asks, for models that learn from lists or sequences"
    )
    parser.add_argument("--base", type=Path, help="the base whose features the samples carry; recorded in the manifest")
    parser.add_argument("--models", type=Path, required=True, help="folder that holds one folder a model")
    parser.add_argument("--model", action="append", required=True, help="a net of models/nets; may be given repeatedly")
    parser.add_argument(
        "--epochs",
        type=int,
        default=5,
        help="at most so many passes over rows (default 5)",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--max-rows", type=int, default=4_000_000, help="at most the newest N rows")
    parser.add_argument(
        "--go-on",
        type=int,
        nargs="?",
        const=0,
        metavar="VERSION",
        help="from this version (the newest), on what is newer than all that it learned from",
    )
    parser.add_argument("--force", action="store_true", help="publish even if worse than the live version")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code. Figures go to standard output, errors as one line to standard error."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.epochs < 1 or given.max_rows < 100:
        parser.error("--epochs must be at least 1, --max-rows at least 100")
    try:
        names = tuple(dict.fromkeys(given.model))
        for name in names:
            if name not in nets.names():  # before TensorFlow is imported: a typing error should not cost seconds
                nets.find(name)
        import_tensorflow()
        from models.training.pipeline import Options, train_all

        options = Options(
            given.samples,
            given.models,
            names,
            given.base,
            given.ranking_lists,
            given.epochs,
            given.seed,
            given.force,
            given.max_rows,
            given.go_on,
        )
        train_all(options, Console(highlight=False, soft_wrap=True))
    except (MartletError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
