"""TaskManagers in which Python starts no more, which are replaced.

pemja starts Python in a TaskManager's process with the first task that needs it. Where that task is cancelled meanwhile, pemja
takes the interruption for a failure of Python, and repeats it to every later task for as long as the process lives (seen with
pemja 0.5.7). A job with a task there restarts for ever.
"""

import time
from collections.abc import Callable
from typing import Final

from infra.flink.client import Failure

_PHRASES: Final = ("PythonInterpreter$MainInterpreter.initialize", "InterruptedException")
"""Phrases in the stack trace of such a task."""


def is_spoiled(failure: Failure) -> bool:
    """Returns whether a task failed since Python starts no more in its TaskManager."""
    return all(phrase in failure.text for phrase in _PHRASES)


class SpoiledPython:
    """Replaces such TaskManagers.

    replace  ends a TaskManager by name and starts it anew; returns False for one that is not ours to replace
    note     sets a fact for `status`
    clock    returns the wall time, s
    """

    def __init__(
        self, replace: Callable[[str], bool], note: Callable[..., None], clock: Callable[[], float] = time.time
    ) -> None:
        self._replace = replace
        self._note = note
        self._clock = clock
        self._until = 0

    def see_to(self, failure: Failure) -> None:
        """Replace the TaskManager of the job's newest failure if that is such a one, once; to be called repeatedly."""
        if failure.at <= self._until or not is_spoiled(failure):
            return
        done = "replaced" if self._replace(failure.worker) else "not ours, and does not heal: restart it"
        self._note(worker_spoiled=f"{time.strftime('%Y-%m-%d %H:%M:%S')}: {failure.worker}, {done}")
        self._until = int(1000 * self._clock())  # what failed there meanwhile says nothing of its successor
