"""`python -m infra.learning --home DIR`: the learner of a running home; `up` starts it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.home.paths import Home
from infra.learning.learner_loop import run_for_ever
from infra.learning.learner_service import NICE
from infra.system.background_work import run_in_background


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.learning", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    given = parser.parse_args(arguments)
    return run_in_background(lambda: run_for_ever(Home(given.home), lambda text: print(text, flush=True)), NICE)


if __name__ == "__main__":
    sys.exit(main())
