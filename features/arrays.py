"""Array types under one name each, and small arithmetic on columns that several parts share. Needs NumPy alone."""

from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
"""Model inputs and the scores that lists are ranked by."""
DoubleArray = npt.NDArray[np.float64]
"""Sums and statistics, where float32 would lose digits."""
RealArray = npt.NDArray[np.floating[Any]]
"""Floating numbers of whatever width a library or a model gives."""
IntArray = npt.NDArray[np.int64]
"""Ids, times in ms, rows."""
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]
"""Of whatever type a tensor or a column has."""

PRIOR_MEAN: Final = 3.5
"""Ratings are drawn towards this mean by PRIOR_WEIGHT imagined ones, so that a single rating says little."""
PRIOR_WEIGHT: Final = 5.0

Number = TypeVar("Number", float, DoubleArray)


def smoothed_mean(total: Number, count: Number) -> Number:
    """The mean of `count` ratings that sum to `total`, drawn towards PRIOR_MEAN: of one item or user, or of columns [n].
    A count below 0 (undone ratings of which the first were never seen) is taken as 0.

    >>> smoothed_mean(0.0, 0.0), smoothed_mean(25.0, 5.0)
    (3.5, 4.25)
    """
    mean: Number = (total + PRIOR_MEAN * PRIOR_WEIGHT) / (np.maximum(count, 0) + PRIOR_WEIGHT)
    return mean
