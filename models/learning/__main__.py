"""`python -m models.learning`: score versions on a slice of shown lists, and have weights go on by it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from features.errors import BadInput, MartletError
from models.training.runtime import import_tensorflow


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.learning", description=__doc__)
    parser.add_argument("--model", required=True, help="a net of models/nets that learns from lists or sequences")
    parser.add_argument("--start", type=Path, required=True, help="the version's folder whose weights go on")
    parser.add_argument("--new", type=Path, required=True, help="folder of lists that nothing has learned from")
    parser.add_argument("--whole", type=Path, required=True, help="these with lists of slices before")
    parser.add_argument("--since", type=int, default=-1, help="lists up to this time (ms) are left out")
    parser.add_argument(
        "--compare", action="append", default=[], metavar="TITLE=FOLDER", help="a version to score, too"
    )
    parser.add_argument("--models", type=Path, required=True, help="folder that holds one folder a model")
    parser.add_argument("--out", type=Path, required=True, help="an empty folder to write to")
    parser.add_argument("--seed", type=int, default=7)
    return parser


def _compared(given: Sequence[str]) -> dict[str, Path]:
    """Raises BadInput for what is no TITLE=FOLDER."""
    found = {}
    for each in given:
        title, equals, folder = each.partition("=")
        if not (title and equals and folder):
            raise BadInput("--compare", "TITLE=FOLDER", each)
        found[title] = Path(folder)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code. Figures go to standard output, errors as one line to standard error."""
    given = _parser().parse_args(arguments)
    try:
        compared = _compared(given.compare)
        import_tensorflow()
        from models.learning.one_slice import SliceOptions, learn_slice

        options = SliceOptions(
            name=given.model,
            start=given.start,
            new=given.new,
            whole=given.whole,
            since=given.since,
            compared=compared,
            models=given.models,
            out=given.out,
            seed=given.seed,
        )
        learn_slice(options, Console(highlight=False, soft_wrap=True))
    except (MartletError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
