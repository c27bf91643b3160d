"""`python -m infra.roles.health_check URL-OR-FILE`: whether a role is well, for a container's health check. Exit code 0: it is.

A URL: it answers with 200. A file: a status that a supervisor wrote in the last half minute, of something that is up.
"""

import sys
import time
from pathlib import Path
from typing import Final

from features.errors import MartletError
from infra.home.paths import read_json
from infra.system import probes

OUTDATED: Final = 30.0
"""Seconds; a supervisor writes its status each five."""


def trouble_of(target: str) -> str | None:
    """Returns what is wrong with a URL or a status file; None: nothing."""
    try:
        if target.startswith("http"):
            status = probes.http_status(target)
            return None if status == 200 else f"{target} answers with {status}"
        age = time.time() - Path(target).stat().st_mtime
        state = (read_json(Path(target)) or {}).get("state")
    except (MartletError, OSError) as error:
        return str(error)
    if age > OUTDATED:
        return f"{target} was written {age:.0f} s ago"
    return None if state == "up" else f"it is {state}"


def main() -> int:
    """The command line; returns the exit code."""
    if len(sys.argv) != 2:
        print("expected a URL or a status file", file=sys.stderr)
        return 2
    trouble = trouble_of(sys.argv[1])
    if trouble is not None:
        print(trouble, file=sys.stderr)
    return 0 if trouble is None else 1


if __name__ == "__main__":
    sys.exit(main())
