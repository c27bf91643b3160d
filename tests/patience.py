"""How long tests wait for what must happen: a bound is written for a usual machine, and grows on a slower one."""

import time
from collections.abc import Callable

USUAL = 0.012
"""Seconds that a usual machine, with nothing else to do, takes for `_count`."""


def _count() -> float:
    began, number = time.perf_counter(), 0
    while number < 300_000:
        number += 1
    return time.perf_counter() - began


SLOWEST = 5.0
"""Beyond that a bound stays: what hangs has to end while the run still has time to tell of it."""


def slowness() -> float:
    """How many times slower this machine is now than a usual one; 1 if it is faster."""
    return min(max(1.0, min(_count() for _ in range(3)) / USUAL), SLOWEST)


SLOWNESS = slowness()
"""As it was when these tests began."""


def patience(seconds: float) -> float:
    """Returns the bound, in seconds, that a wait of `seconds` on a usual machine has on this one."""
    return seconds * SLOWNESS


class Deadline:
    """The bound of a wait that begins now. Others may have come to the machine since the tests began: once it has passed, it is
    extended for a machine that is slower now, one time.

    seconds  how long the wait may take on this machine
    """

    def __init__(
        self,
        seconds: float,
        slowness_then: float = SLOWNESS,
        slowness_now: Callable[[], float] = slowness,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._usual, self._slowness, self._clock = seconds, slowness_then, clock
        self._slowness_now: Callable[[], float] | None = slowness_now
        self._began = clock()

    @property
    def seconds(self) -> float:
        return self._usual * self._slowness

    @property
    def waited(self) -> float:
        return self._clock() - self._began

    def has_passed(self) -> bool:
        if self.waited < self.seconds:
            return False
        if self._slowness_now is not None:
            self._slowness, self._slowness_now = max(self._slowness, self._slowness_now()), None
        return self.waited >= self.seconds
