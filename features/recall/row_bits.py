"""Which of a list of rows a mask holds, as bits: what a search among vectors, which are in an order of their own, may find."""

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray
from features.recall.compiled import compiled

Bits = npt.NDArray[np.uint8]
"""A bit for each entry, the first in the lowest bit of the first byte."""
RowNumbers = npt.NDArray[np.uint32]


def bits_of_rows(mask: BoolArray, rows: RowNumbers, known: Bits) -> Bits:
    """[n / 8] the bits of `mask` [N] in those of the rows [n] that are `known` [n / 8]. n is a multiple of eight, each row is
    below N. Of a million rows that ascend they take .16 ms, with NumPy .5."""
    found = np.empty_like(known)
    _gather(np.ascontiguousarray(mask).view(np.uint8), rows, known, found)
    return found


@compiled
def _gather(mask: Bits, rows: RowNumbers, known: Bits, found: Bits) -> None:
    for octet in range(len(known)):
        at = 8 * octet
        bits = (
            mask[rows[at]]
            | (mask[rows[at + 1]] << 1)
            | (mask[rows[at + 2]] << 2)
            | (mask[rows[at + 3]] << 3)
            | (mask[rows[at + 4]] << 4)
            | (mask[rows[at + 5]] << 5)
            | (mask[rows[at + 6]] << 6)
            | (mask[rows[at + 7]] << 7)
        )
        found[octet] = bits & known[octet]
