"""How like candidates are to the items that a user liked last, compiled."""

import numpy as np

from features.arrays import DoubleArray, FloatArray, IntArray
from features.recall.compiled import NumberArray, compiled


@compiled
def fill_likeness(
    out: FloatArray,
    column: int,
    rows: IntArray,
    liked: IntArray,
    shares: FloatArray,
    starts: IntArray,
    counts: NumberArray,
    values: NumberArray,
    years: IntArray,
    fades: DoubleArray,
    taste: DoubleArray,
) -> None:
    """Set two columns of out [n, …] for candidates in `rows` [n]: the mean cosine, by shares [k], of their facet values and those
    of the rows `liked` [k]; and the mean of fades [years between them], 0 beyond
    those and where a year is not known."""
    for at in range(len(liked)):
        row = liked[at]
        for index in range(starts[row], starts[row] + counts[row]):
            taste[values[index]] += shares[at] / np.sqrt(float(counts[row]))
    for at in range(len(rows)):
        row, alike, era = rows[at], 0.0, 0.0
        for index in range(starts[row], starts[row] + counts[row]):
            alike += taste[values[index]]
        if years[row] > 0:
            for other in range(len(liked)):
                gap = abs(years[row] - years[liked[other]])
                if years[liked[other]] > 0 and gap < len(fades):
                    era += shares[other] * fades[gap]
        out[at, column] = alike / np.sqrt(float(max(counts[row], 1)))
        out[at, column + 1] = era
    for at in range(len(liked)):
        row = liked[at]
        for index in range(starts[row], starts[row] + counts[row]):
            taste[values[index]] = 0.0
