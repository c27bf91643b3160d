"""A question to a service that may hang, asked again and again in bounded time."""

import threading
import time
from collections.abc import Callable
from typing import Any

from features.errors import Unavailable


class BoundedQuery:
    """Runs queries to a service in a thread, one at a time: the caller waits no longer than the timeout, and a service that hangs
    blocks one thread, not one per query."""

    def __init__(self, name: str, query: Callable[[], Any], seconds: float, subject: str = "it") -> None:
        """`subject`: what errors say of whom they tell."""
        self.name = name
        self._subject = subject
        self._query = query
        self._seconds = seconds
        self._thread: threading.Thread | None = None
        self._outcome: list[Any] = []
        self._deadline = 0.0
        self._hangs = False

    def begin(self) -> None:
        self._deadline = time.monotonic() + self._seconds
        self._hangs = self._thread is not None and self._thread.is_alive()
        if self._hangs:
            return
        outcome: list[Any] = []
        self._outcome = outcome
        self._thread = threading.Thread(target=self._run, args=(outcome,), name=f"ask-{self.name}", daemon=True)
        self._thread.start()

    def _run(self, outcome: list[Any]) -> None:
        try:
            outcome.append(self._query())
        except Exception as error:  # raised in the caller's thread
            outcome.append(error)

    def result(self) -> Any:
        """Returns the query's result. Raises what it raised, or Unavailable after the timeout."""
        if self._hangs:
            raise Unavailable(f"{self._subject} has not answered the question before this one yet")
        assert self._thread is not None
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if not self._outcome:
            raise Unavailable(f"{self._subject} has not answered within {self._seconds:.0f} s")
        if isinstance(self._outcome[0], Exception):
            raise self._outcome[0]
        return self._outcome[0]
