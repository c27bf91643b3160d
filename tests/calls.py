"""How much something does: the functions that it calls, which load on the machine does not change."""

import sys
from collections.abc import Callable


def count_calls(act: Callable[[], object]) -> int:
    """How many functions `act` calls, those written in C too."""
    calls = 0

    def note(frame: object, event: str, of: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return calls
