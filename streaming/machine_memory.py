"""How much memory there is, and how much of it users may take that are kept at hand."""

import contextlib
import os
from pathlib import Path
from typing import Final, NamedTuple

MIN_CACHED: Final = 256 << 20
"""Bytes of users that are kept at hand on a small machine: some 8,000 with 200 remembered events each."""
MAX_CACHED: Final = 1 << 30
SHARE: Final = 32
"""The cache takes this part of the machine, where that is more."""
CONTAINER: Final = Path("/sys/fs/cgroup")
"""Where Linux says what memory a container may have, and has."""


class ControlGroup(NamedTuple):
    """How a version of control groups says it: files with the limit and what is used, and the lines of `memory.stat` that count
    files which give way."""

    limit: str
    used: str
    stat: str
    cached: tuple[str, str]


CONTROL_GROUPS: Final = (
    ControlGroup("memory.max", "memory.current", "memory.stat", ("active_file", "inactive_file")),
    ControlGroup(
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        ("total_active_file", "total_inactive_file"),
    ),
)
"""Of the second version, and of the first."""


def machine_memory(container: Path = CONTAINER) -> int:
    """Returns the bytes of memory of this machine, or of the container that this process runs in where it may have less."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for group in CONTROL_GROUPS:
        with contextlib.suppress(OSError, ValueError):  # no container of this kind, or one without a limit
            memory = min(memory, int((container / group.limit).read_text()))
    return memory


def cache_limit(memory: int) -> int:
    """Returns the bytes of users that one task keeps at hand on a machine of so much memory.

    >>> [cache_limit(gib << 30) >> 20 for gib in (2, 8, 24, 64)]
    [256, 256, 768, 1024]
    """
    return min(max(memory // SHARE, MIN_CACHED), MAX_CACHED)
