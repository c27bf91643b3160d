"""`python -m infra.storage --home DIR`: the mirror of a running home's models; `up` and `watch` start it."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from infra.home.paths import Home
from infra.storage.mirror_service import NICE, mirror_always
from infra.system.background_work import run_in_background


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.storage", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args(arguments).home)
    return run_in_background(lambda: mirror_always(home, _print_line), NICE)


def _print_line(line: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
