"""Whether a machine has the memory to learn beside what serves."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from features.errors import Unavailable
from streaming.machine_memory import CONTAINER, CONTROL_GROUPS, machine_memory

FREE_MIB: Final = 2_048
"""Memory that must be free before a step: a slice takes some 900 MiB (docs/models.md), and who serves needs the rest."""
TOTAL_MIB: Final = 6_144
"""A machine with less has not got that beside the services of a home, which take 4 GiB: nothing learns on it."""
REST_S: Final = 60.0
"""Seconds between two lines that say the same."""


def total_mib() -> int:
    """MiB of memory of this machine, or of the container that this process runs in."""
    return machine_memory() >> 20


def free_mib(container: Path = CONTAINER) -> int:
    """MiB that are free on this machine, and in the container that this process runs in: files that it has cached give way."""
    free = int(psutil.virtual_memory().available)
    for group in CONTROL_GROUPS:
        with suppress(OSError, ValueError, KeyError):  # no container of this kind, or one without a limit
            limit, used = (int((container / name).read_text()) for name in (group.limit, group.used))
            lines = (container / group.stat).read_text().splitlines()
            counts = {name: int(count) for name, _, count in (line.partition(" ") for line in lines)}
            free = min(free, max(0, limit - used + sum(counts[name] for name in group.cached)))
    return free >> 20


def lacks_total_memory(find: Callable[[], int] = total_mib) -> str | None:
    """Why nothing is learned on this machine: its memory, which `find` returns in MiB, is too little; None where it is enough."""
    return _lacking("memory", TOTAL_MIB, find())


def lacks_free_memory(find: Callable[[], int] = free_mib) -> str | None:
    """Why nothing is learned now: too little memory is free; None where it is enough."""
    return _lacking("free memory", FREE_MIB, find())


def _lacking(name: str, expected: int, found: int) -> str | None:
    return None if found >= expected else f"learning needs {expected} MiB of {name}, there is room for {found} MiB"


class FreeMemory:
    """Whether enough memory is free for a step of learning. once: a step is not waited for; find: says what is lacking."""

    def __init__(
        self, print_line: Callable[[str], None], once: bool = False, find: Callable[[], str | None] = lacks_free_memory
    ) -> None:
        self._print_line, self._once, self._find = print_line, once, find
        self._printed = -REST_S

    def is_enough(self) -> bool:
        """Whether enough is free now; what is lacking is printed now and then. Raises Unavailable, with `once`, where it is
        not."""
        lacking = self._find()
        if lacking is None:
            return True
        if self._once:
            raise Unavailable(lacking)
        if self._printed <= time.monotonic() - REST_S:
            self._printed = time.monotonic()
            self._print_line(lacking)
        return False
