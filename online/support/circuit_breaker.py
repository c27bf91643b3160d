"""Who does not answer is left alone for a while: asking would only cost the list its time."""

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens for `rest` seconds after `failures` in a row; then one call may find out for all.

    Calls that waited side by side fail together when somebody stands still for a moment, and tell no more than one of them: a
    failure counts if its call began after the one that was counted before it, and so does an answer.
    """

    def __init__(self, failures: int, rest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_failures, self._rest, self._clock = failures, rest, clock
        self._failures = 0
        self._counted = 0.0
        self._open_until = 0.0

    @property
    def open(self) -> bool:
        return self._clock() < self._open_until

    def allow(self) -> bool:
        """Whether a call may be made. After a rest the first may, and the others only once it has been answered."""
        if self.open:
            return False
        if self._failures >= self._max_failures:
            self._open_until = self._clock() + self._rest
        return True

    def record_success(self, began: float) -> None:
        """began: when the call did, by the clock."""
        if began >= self._counted:
            self._failures, self._open_until = 0, 0.0

    def record_failure(self, began: float) -> None:
        if began < self._counted:
            return
        self._counted = self._clock()
        self._failures += 1
        if self._failures >= self._max_failures:
            self._open_until = self._counted + self._rest
