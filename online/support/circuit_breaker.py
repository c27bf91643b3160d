"""Circuit breaker: after N failures in a row, calls fail fast for T seconds."""

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens for `rest` seconds after `failures` failures in a row; then a single call probes the service.

    Concurrent calls fail together when a service stalls, and are no more evidence than one of them: a failure or success
    counts only if its call began after the last counted failure.
    """

    def __init__(self, failures: int, rest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_failures, self._rest, self._clock = failures, rest, clock
        self._failures = 0
        self._counted = 0.0
        self._open_until = 0.0

    @property
    def open(self) -> bool:
        """Whether calls fail fast now."""
        return self._clock() < self._open_until

    def allow(self) -> bool:
        """Whether a call may be made. After a rest only the first may, and the others once it has succeeded."""
        if self.open:
            return False
        if self._failures >= self._max_failures:
            self._open_until = self._clock() + self._rest
        return True

    def record_success(self, began: float) -> None:
        """Close the breaker. began: start of the call, by the clock."""
        if began >= self._counted:
            self._failures, self._open_until = 0, 0.0

    def record_failure(self, began: float) -> bool:
        """Count a failure; returns whether the breaker opens by it. began: start of the call, by the clock."""
        if began < self._counted:
            return False
        self._counted = self._clock()
        self._failures += 1
        if self._failures >= self._max_failures:
            self._open_until = self._counted + self._rest
        return self._failures >= self._max_failures

    def record_cancelled(self, began: float) -> None:
        """Note that a call ended without an outcome: if it was the probe, the next call is. began: its start, by the clock."""
        if began >= self._counted and self._failures >= self._max_failures:
            self._open_until = 0.0
