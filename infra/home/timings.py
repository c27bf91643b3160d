"""How often a home looks, and how long it waits: `run/times.json` in the home, where somebody wants it otherwise.

Read when `up` starts. The defaults suit a machine that serves; tests look more often.
"""

import msgspec

from features.errors import Broken
from infra.home.paths import Home


class Timings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds. spare_calm: for which all tasks must have run before the spare TaskManager is started and warmed, since right
    after a start or a fault the processors are for what is to be caught up (it takes some 20 s of one); watch_every: between
    two looks of the watch, from which alarms come."""

    spare_calm: float = 60.0
    watch_every: float = 5.0


def read_timings(home: Home) -> Timings:
    """Raises Broken for a file that does not hold some of the fields, as numbers."""
    path = home.run / "times.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Timings)
    except FileNotFoundError:
        return Timings()
    except msgspec.MsgspecError as error:
        raise Broken(f"{path}: {error}") from error
