"""How much memory there is, and how much of it users may take that are kept at hand."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

MIN_CACHED: Final = 256 << 20
"""Bytes of users that are kept at hand on a small machine: some 8,000 with 200 remembered events each."""
MAX_CACHED: Final = 1 << 30
SHARE: Final = 32
"""The cache takes this part of the machine, where that is more."""
CONTAINER_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says what a container may have, by the second version of control groups and by the first."""


def machine_memory(limits: Iterable[Path] = CONTAINER_LIMITS) -> int:
    """Returns the bytes of memory of this machine, or of the container that this process runs in where it may have less."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in limits:
        with contextlib.suppress(OSError, ValueError):  # no container of this kind, or one without a limit
            memory = min(memory, int(path.read_text()))
    return memory


def cache_limit(memory: int) -> int:
    """Returns the bytes of users that one task keeps at hand on a machine of so much memory.

    >>> [cache_limit(gib << 30) >> 20 for gib in (2, 8, 24, 64)]
    [256, 256, 768, 1024]
    """
    return min(max(memory // SHARE, MIN_CACHED), MAX_CACHED)
