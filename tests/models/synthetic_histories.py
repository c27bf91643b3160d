"""Histories of a few users, for tests."""

import numpy as np

from features.arrays import FloatArray, IntArray
from models.training.lessons.sequence_windows import Histories


def histories(*lengths: int) -> Histories:
    """Users with so many events, a second apart; item ids count on; every third event is no positive one, every fifth of the
    others is worth three of them."""
    count = sum(lengths)
    numbers = np.arange(count)
    starts = np.r_[0, np.cumsum(lengths)]
    return Histories(numbers, numbers + 100, numbers % 10 + 1, numbers * 1000, importance(numbers), starts)


def importance(numbers: IntArray) -> FloatArray:
    return np.where(numbers % 3 == 2, 0, np.where(numbers % 5 == 0, 3, 1)).astype(np.float32)
