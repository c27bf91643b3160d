"""How long tests wait for what must happen: a bound is written for a usual machine, and grows on a slower one."""

import time

USUAL = 0.012
"""Seconds that a usual machine, with nothing else to do, takes for `_count`."""


def _count() -> float:
    began, number = time.perf_counter(), 0
    while number < 300_000:
        number += 1
    return time.perf_counter() - began


SLOWEST = 5.0
"""Beyond that a bound stays: what hangs has to end while the run still has time to tell of it."""
SLOWNESS = min(max(1.0, min(_count() for _ in range(3)) / USUAL), SLOWEST)
"""How many times slower this machine is now than a usual one; 1 if it is faster."""


def patience(seconds: float) -> float:
    """Returns the bound, in seconds, that a wait of `seconds` on a usual machine has on this one."""
    return seconds * SLOWNESS
