"""`python -m online --settings FILE`: an API process. With `--number K --own-port P` it is one of several on one port."""

import argparse
import sys
from pathlib import Path

import msgspec

from features.errors import MartletError
from online.serving import serve
from online.settings import read_settings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--number", type=int, default=1, help="of this process, from 1")
    parser.add_argument("--own-port", type=int, help="by which this process alone is reached, on loopback")
    arguments = parser.parse_args()
    try:
        serve(read_settings(arguments.settings), arguments.number, arguments.own_port)
    except (MartletError, msgspec.DecodeError, OSError) as error:
        print(f"online: {arguments.settings}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
