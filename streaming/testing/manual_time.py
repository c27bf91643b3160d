"""A time source that a test advances."""

from features.types import Millis

_START_S = 1000.0


class ManualTime:
    """A time source that moves only by `advance` and `sleep`, and whose wall clock can be set."""

    def __init__(self, wall_ms: Millis) -> None:
        self._start = wall_ms
        self._passed = 0.0
        self.slept = 0.0
        """Seconds slept so far."""

    def wall_ms(self) -> Millis:
        return self._start + int(self._passed * 1000)

    def set_clock(self, wall_ms: Millis) -> None:
        """Set the wall clock, forward or back; no time passes."""
        self._start += wall_ms - self.wall_ms()

    def monotonic(self) -> float:
        return _START_S + self._passed

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._passed += max(0.0, seconds)
