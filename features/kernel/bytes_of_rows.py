"""Bytes of many rows, so many by one call of a compiled function."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from features.arrays import AnyArray, IntArray

AT_ONCE: Final = 256
"""Rows whose bytes are written by one call."""


def bytes_of_rows(
    rows: IntArray, data: AnyArray, write: Callable[[IntArray, AnyArray, IntArray], None]
) -> Iterator[bytes]:
    """Yields the bytes of each row. write: fills `data`, uint8 with room for AT_ONCE rows, with the bytes of some rows, one
    behind the other, and an array with where each ends."""
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        ends: IntArray = np.zeros(len(some), np.int64)
        write(some, data, ends)
        written, begin = data[: ends[-1]].tobytes(), 0
        for end in ends.tolist():
            yield written[begin:end]
            begin = end
