"""What memory a learner lacks, as its own process finds it: whoever asks may be in a container with another limit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from features.types import Millis
from infra.home.paths import Home, read_json, write_json
from infra.learning.enough_memory import REST_S
from infra.system.times import wall_ms

FILE: Final = "learner-lacks.json"
"""In `run`, while a learner runs and lacks something."""


class Lack(msgspec.Struct, frozen=True):
    """text: what is lacking. at: wall time, ms, at which that was found."""

    text: str
    at: Millis


class NotedLack:
    """Notes what a learner lacks, once it does, and every minute while it does."""

    def __init__(self, home: Home) -> None:
        self._file = home.run / FILE
        self._noted = -REST_S

    def note(self, lacking: str | None) -> None:
        """Note what is lacking now; None: nothing is. A file that can't be written holds nobody up."""
        if lacking is None:
            self._file.unlink(missing_ok=True)
            self._noted = -REST_S
        elif self._noted <= time.monotonic() - REST_S:
            self._noted = time.monotonic()
            with suppress(OSError):
                write_json(self._file, msgspec.to_builtins(Lack(lacking, wall_ms())), sync=False)


@contextmanager
def noted_lack(home: Home) -> Iterator[NotedLack]:
    """Lend what notes for a learner; nothing is noted any more at the end."""
    noted = NotedLack(home)
    try:
        yield noted
    finally:
        noted.note(None)


def read_lack(home: Home) -> Lack | None:
    """Returns what the learner of a home lacks; None where it lacks nothing, or none runs."""
    with suppress(msgspec.ValidationError):
        return msgspec.convert(read_json(home.run / FILE, sync=False), Lack | None)
    return None
