"""How much something does: the functions that it calls, which load on the machine does not change."""

import gc
import sys
from collections.abc import Callable


def count_calls(act: Callable[[], object]) -> int:
    """How many functions `act` calls, those written in C too. No collection of garbage falls into it: others have functions of
    theirs called by it."""
    calls = 0

    def note(frame: object, event: str, of: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    gc.disable()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
        gc.enable()
    return calls
