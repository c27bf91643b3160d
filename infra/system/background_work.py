"""The work of a service of ours that gives way to what serves: at a low priority, until it is told to stop."""

import os
import sys
from collections.abc import Callable

from features.errors import MartletError
from infra.system.processes import lower_priority
from infra.system.stop_signal import StopSignal


def run_in_background(work: Callable[[], object], nice: int) -> int:
    """Do the work of this process, which leads its own session, at a niceness; returns the exit code. A signal breaks it off as
    an exception does, so that what it has started is ended, too. An error of ours is one line on standard error."""
    lower_priority(os.getpid(), nice)
    StopSignal().install()
    try:
        work()
    except MartletError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0
