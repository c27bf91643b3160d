"""Which Redis and Valkey will do, and whether a program of one's own is one."""

import re
import subprocess
from pathlib import Path
from typing import Final

from features.errors import BadInput

OLDEST: Final = {"Redis": (7, 0), "Valkey": (7, 2)}
"""The first version of each server that is supported."""
TIMEOUT: Final = 10.0
_VERSION: Final = re.compile(r"^(Redis|Valkey) server v=(\d+)\.(\d+)", re.MULTILINE)


def own_program(path: Path) -> Path:
    """Returns the program of a server of one's own, which `redis.server` names. Raises BadInput for what is none, or is of a
    version that is not supported."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=TIMEOUT, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput("redis.server", "a redis-server or valkey-server", f"{path}: {error}") from error
    found = _VERSION.search(done.stdout)
    if found is None:
        reported = " ".join((done.stdout + done.stderr).split())[:120]
        raise BadInput("redis.server", "a redis-server or valkey-server", f"{path}, whose --version says {reported!r}")
    kind, version = found[1], (int(found[2]), int(found[3]))
    if version < OLDEST[kind]:
        expected = f"{kind} {'.'.join(map(str, OLDEST[kind]))} or newer"
        raise BadInput("redis.server", expected, f"{path}, which is {'.'.join(map(str, version))}")
    return path
