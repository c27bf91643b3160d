"""TaskManagers in which Python starts no more, which are replaced.

pemja starts Python in a TaskManager's process with the first task that needs it. Where that task is cancelled meanwhile, pemja
takes the interruption for a failure of Python, and repeats it to every later task for as long as the process lives (seen with
pemja 0.5.7). A job with a task there restarts for ever.
"""

import time
from collections.abc import Callable
from typing import Final

from infra.flink.client import NO_FAILURE, Failure

_PHRASES: Final = ("PythonInterpreter$MainInterpreter.initialize", "InterruptedException")
"""Phrases in the stack trace of such a task."""


def is_spoiled(failure: Failure) -> bool:
    """Returns whether a task failed since Python starts no more in its TaskManager."""
    return all(phrase in failure.text for phrase in _PHRASES)


class SpoiledPython:
    """Replaces such TaskManagers.

    replace  ends a TaskManager by name and starts it anew, unless it was started after a time (wall time, s); returns False for
             one that is not ours to replace
    note     sets a fact for `status`
    """

    def __init__(self, replace: Callable[[str, float], bool], note: Callable[..., None]) -> None:
        self._replace = replace
        self._note = note
        self._seen = NO_FAILURE

    def see_to(self, failure: Failure) -> None:
        """Replace the TaskManager of the job's newest failure if that is such a one, once; to be called repeatedly."""
        if failure == self._seen or not is_spoiled(failure):
            return
        self._seen = failure
        done = (
            "replaced"
            if self._replace(failure.worker, failure.at / 1000)
            else "not ours, and does not heal: restart it"
        )
        self._note(worker_spoiled=f"{time.strftime('%Y-%m-%d %H:%M:%S')}: {failure.worker}, {done}")
