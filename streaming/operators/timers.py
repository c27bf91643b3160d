"""Helpers of the operators: subtask index, timers of lanes, interpreter settings, whether the task was cancelled.

Timers are in Flink's state, so they also fire after a restart, without any record coming.
"""

import gc
from typing import Any

from features.types import Millis

TICK_MS = 1000


def tune_interpreter() -> None:
    """Run the cyclic garbage collector less often: the fold makes no cycles, and the default settings cost an eighth of its
    time."""
    gc.set_threshold(50_000, 20, 20)


def subtask_of(context: Any) -> int:
    """Returns this subtask's index. PyFlink 2.3's own method calls one that Flink 2 moved into TaskInfo."""
    return int(context._runtime_context.getTaskInfo().getIndexOfThisSubtask())


def is_cancelled() -> bool:
    """Returns whether Flink has cancelled the task that this thread runs. It interrupts the thread, which no wait in Python
    notices."""
    from pemja import findClass  # there only where Flink runs Python in its own process

    return bool(findClass("java.lang.Thread").currentThread().isInterrupted())


class Ticks:
    """The ticks of a lane: a timer at each full second of the wall clock. Its methods must be called under the lane's key."""

    def __init__(self) -> None:
        self._next: Millis = 0

    def go_on(self, ctx: Any, now: Millis, fired: Millis = 0) -> None:
        """Set the next tick, behind the timer that has just fired, too: Flink fires all up to its time before anything else,
        and the clock may have been set back since it was set. A timer that is set twice fires once."""
        self._next = (max(now, fired) // TICK_MS + 1) * TICK_MS
        set_timer(ctx, self._next)

    def keep_up(self, ctx: Any, now: Millis) -> None:
        """Set a tick anew where the clock was set back: the one that is set would come that much later."""
        if self._next > now + TICK_MS:
            self.go_on(ctx, now)


def set_timer(ctx: Any, at: Millis) -> None:
    """Set a timer of the current key at that wall time (ms)."""
    ctx.timer_service().register_processing_time_timer(at)


def is_tick(timestamp: int) -> bool:
    """Returns whether a firing timer is a tick."""
    return timestamp % TICK_MS == 0
