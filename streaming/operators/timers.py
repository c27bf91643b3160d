"""What the operators ask of Flink beside state: their number, and timers of lanes. And how they set up Python.

Timers are in Flink's state, so they fire after a restart too, with no record coming.
"""

import gc
from typing import Any

from features.types import Millis

TICK_MS = 1000


def tune_interpreter() -> None:
    """A fold makes no cycles, so looking for them after each 700 new objects, as is usual, only costs (an eighth of the fold)."""
    gc.set_threshold(50_000, 20, 20)


def subtask_of(context: Any) -> int:
    """This subtask's index. PyFlink 2.3's own method asks for one that Flink 2 moved into TaskInfo."""
    return int(context._runtime_context.getTaskInfo().getIndexOfThisSubtask())


def set_tick(ctx: Any, now: Millis) -> None:
    """A timer of the current key at the first full second after `now`: set twice, it fires once."""
    ctx.timer_service().register_processing_time_timer((now // TICK_MS + 1) * TICK_MS)


def set_timer(ctx: Any, at: Millis) -> None:
    """A timer of the current key at that wall time."""
    ctx.timer_service().register_processing_time_timer(at)


def is_tick(timestamp: int) -> bool:
    """Whether a timer that fires was set by set_tick."""
    return timestamp % TICK_MS == 0
