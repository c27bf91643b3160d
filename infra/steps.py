"""Shows what a command is doing: one line a step, with how long it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Steps:
    """Prints `name … seconds`, rewriting the line on a terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self.seconds: dict[str, float] = {}

    def say(self, text: str) -> None:
        print(text, flush=True)

    def make_room(self) -> None:
        """Before lines that belong to the step under way: leave its name standing."""
        if self._terminal:
            print(flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """A step; what is appended to the yielded list is shown behind its time."""
        notes: list[str] = []
        if self._terminal:
            print(f"  {name} …", end="\r", flush=True)
        began = time.monotonic()
        try:
            yield notes
        except BaseException:
            print(f"  {name:<34} failed after {time.monotonic() - began:6.1f} s", flush=True)
            raise
        took = time.monotonic() - began
        self.seconds[name] = took
        print(f"  {name:<34} {took:6.1f} s  {' '.join(notes)}".rstrip(), flush=True)
