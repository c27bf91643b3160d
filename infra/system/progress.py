"""Progress output of a command: one line per step with its duration. Several steps may run at once, in threads.

Whoever reads it may go away, as with a closed terminal: nothing is printed then, and what it tells of goes on.
"""

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Steps:
    """Prints `name … seconds` for each step that has ended; on a terminal the last line names those under way."""

    def __init__(self) -> None:
        self._terminal = sys.stdout is not None and sys.stdout.isatty()  # it may have been closed before the start
        self._lock = threading.Lock()
        self._under_way: list[str] = []
        self.seconds: dict[str, float] = {}
        """Duration of each step that succeeded."""

    def print_line(self, text: str) -> None:
        """Print a line."""
        with self._lock:
            self._print(text)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Run a step; notes appended to the yielded list are printed behind its duration."""
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
        self._write(f"\r\033[K{text}\n" if self._terminal else f"{text}\n")
        self._show()

    def _show(self) -> None:
        if self._terminal:
            width = shutil.get_terminal_size().columns - 6
            self._write(f"\r\033[K  {', '.join(self._under_way)[:width]} …" if self._under_way else "")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            print(text, end="", flush=True)
