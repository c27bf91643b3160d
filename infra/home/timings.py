"""Polling intervals, waits and priorities of a home: defaults, overridden by `run/times.json` in the home.

The file is read when `up` starts. The defaults suit a machine that serves; tests poll more often.
"""

from typing import Annotated

import msgspec

from features.errors import Broken
from infra.home.paths import Home


class Timings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds. spare_calm: how long all tasks must have run before the standby TaskManager is started and warmed (some 20 s
    of one processor), since right after a start or a fault the processors are needed for catching up; watch_every: between
    two snapshots of the monitor, from which alarms come; longest_pause: what a service that dies over and over waits for its
    next start, at most. nice: the niceness of offline steps, which often run while the home serves."""

    spare_calm: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    watch_every: Annotated[float, msgspec.Meta(gt=0, le=10)] = 5.0
    longest_pause: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 19


def read_timings(home: Home) -> Timings:
    """Raises Broken for a file that does not hold some of the fields, as numbers in their bounds."""
    path = home.run / "times.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Timings)
    except FileNotFoundError:
        return Timings()
    except msgspec.MsgspecError as error:
        raise Broken(f"{path}: {error}") from error
