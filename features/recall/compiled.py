"""Functions compiled to machine code by Numba, and the room that they compute in.

A function is compiled when it is first called with arrays of its types, which takes a second or so; the result is kept beside the
source, so that the next process has it at once, as long as nothing that went into it has changed
(`features.recall.compile_cache`).
"""

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray, IntArray
from features.recall.compile_cache import LOCATORS

Function = TypeVar("Function", bound=Callable[..., Any])

numba.config.CACHE_LOCATOR_CLASSES = LOCATORS  # type: ignore[attr-defined]  # read when a function is declared

NumberArray = npt.NDArray[np.int32]
"""Numbers that name rows, sessions or facet values."""


def compiled(function: Function) -> Function:
    """Returns the function, compiled. It calls others of its kind alone, and does not hold the interpreter's lock."""
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


class Scratch:
    """Room to compute in: a function that fills any of it clears what it filled, so that all is 0 between two calls.

    sums     float64 [size]
    first    int32 [size]
    second   int32 [size]
    touched  int64 [size]: a list, whose content means nothing between two calls
    """

    def __init__(self, size: int) -> None:
        self.sums: DoubleArray = np.zeros(size, np.float64)
        self.first: NumberArray = np.zeros(size, np.int32)
        self.second: NumberArray = np.zeros(size, np.int32)
        self.touched: IntArray = np.zeros(size, np.int64)


_FIRST_SIZE: Final = 4096
_of_thread: Final = threading.local()


def scratch(size: int) -> Scratch:
    """Returns this thread's room for at least `size` rows."""
    room: Scratch | None = getattr(_of_thread, "room", None)
    if room is None or len(room.sums) < size:
        room = _of_thread.room = Scratch(max(_FIRST_SIZE, size + size // 4))
    return room
