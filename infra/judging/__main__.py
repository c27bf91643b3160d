"""`python -m infra.judging --home DIR --api URL`: the judge of a running home; `up` starts it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.home.running import engines_of
from infra.judging.judge import Judge
from infra.judging.judge_service import NICE, SERVING, STATE
from infra.system.background_work import run_in_background


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.judging", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--api", required=True, help="the API's URL")
    given = parser.parse_args(arguments)
    home = Home(given.home)

    def judge() -> None:
        schema = HomeRecord(home).base().schema
        Judge(home.models, home.path / STATE, home.path / SERVING, engines_of(home).kafka, given.api, schema).run()

    return run_in_background(judge, NICE)


if __name__ == "__main__":
    sys.exit(main())
