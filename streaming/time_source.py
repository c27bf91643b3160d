"""The operators' time source, injected so that a test can advance it instead of waiting (`streaming.testing`)."""

import time
from typing import Final, Protocol

from features.types import Millis


class TimeSource(Protocol):
    """The clocks of a process."""

    def wall_ms(self) -> Millis:
        """Wall time: Flink's processing time, without a crossing into Java."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


class SystemTime:
    """The clocks of this machine."""

    def wall_ms(self) -> Millis:
        return int(time.time() * 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


SYSTEM_TIME: Final = SystemTime()
