"""Shows what a command is doing: one line a step, with how long it took. Several steps may be under way at once, in threads."""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Steps:
    """Prints `name … seconds` for each step that has ended; on a terminal the last line names those under way."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._lock = threading.Lock()
        self._under_way: list[str] = []
        self.seconds: dict[str, float] = {}
        """How long each step took that has ended well."""

    def say(self, text: str) -> None:
        """Print a line."""
        with self._lock:
            self._print(text)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """A step; what is appended to the yielded list is shown behind its time."""
        notes: list[str] = []
        with self._lock:
            self._under_way.append(name)
            self._show()
        began = time.monotonic()
        try:
            yield notes
        except BaseException:
            self._end(name, f"  {name:<34} failed after {time.monotonic() - began:6.1f} s")
            raise
        took = time.monotonic() - began
        self.seconds[name] = took
        self._end(name, f"  {name:<34} {took:6.1f} s  {' '.join(notes)}".rstrip())

    def _end(self, name: str, line: str) -> None:
        with self._lock:
            self._under_way.remove(name)
            self._print(line)

    def _print(self, text: str) -> None:
        print(f"\r\033[K{text}" if self._terminal else text, flush=True)
        self._show()

    def _show(self) -> None:
        if self._terminal:
            width = shutil.get_terminal_size().columns - 6
            print(f"\r\033[K  {', '.join(self._under_way)[:width]} …" if self._under_way else "", end="", flush=True)
