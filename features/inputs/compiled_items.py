"""Columns of items at a time, compiled: `features.inputs.columns` says what they mean."""

from typing import Final

import numpy as np

from features.arrays import PRIOR_MEAN, DoubleArray, FloatArray, IntArray, smoothed_mean
from features.recall.compiled import NumberArray, compiled
from features.units import DAY_MS

YEAR_MS: Final = 365.2425 * DAY_MS
_smoothed = compiled(smoothed_mean)


@compiled
def halved(count: float, newest_day: int, at: int, half_life_days: float) -> np.float32:
    """A count as of a day, halved every half life up to a time (ms). A time before that day does not decay it."""
    days = max(at // DAY_MS - newest_day, 0)
    return np.float32(count * np.exp2(-days / half_life_days))


@compiled
def halve(counts: DoubleArray, newest_days: IntArray, at: IntArray, half_life_days: float) -> FloatArray:
    """[n] `halved` of counts [n] at times [n] or [1]."""
    out = np.empty(len(counts), np.float32)
    for index in range(len(counts)):
        out[index] = halved(counts[index], newest_days[index], at[index if len(at) > 1 else 0], half_life_days)
    return out


@compiled
def fill_items(
    out: FloatArray,
    rows: IntArray,
    at: IntArray,
    sums: DoubleArray,
    newest_days: IntArray,
    popularities: DoubleArray,
    day: int,
    weeks: int,
    years: IntArray,
    starts: IntArray,
    counts: NumberArray,
    values: NumberArray,
    columns_of: NumberArray,
) -> None:
    """Set out [n, I + G + 1], which is 0, for rows [n] at times [n] or [1]: what ITEM_COLUMNS names, then 1 in the column of each
    facet value that the row has. day, weeks: the columns of `popularities` that are halved every day and every 14 days."""
    for index in range(len(rows)):
        row, when = rows[index], at[index if len(at) > 1 else 0]
        ratings, total, squares, positives, events, first = sums[row]
        rated = max(ratings, 1.0)
        out[index, 0] = np.log1p(max(ratings, 0.0))
        out[index, 1] = _smoothed(total, ratings)
        out[index, 2] = np.sqrt(max(squares / rated - (total / rated) ** 2, 0.0))
        out[index, 3] = (positives + 1) / (max(events, 0.0) + 2)
        out[index, 4] = np.log1p(max(halved(popularities[row, day], newest_days[row], when, 1.0), np.float32(0)))
        out[index, 5] = np.log1p(max(halved(popularities[row, weeks], newest_days[row], when, 14.0), np.float32(0)))
        out[index, 6] = np.log1p(max(when - first, 0.0) / DAY_MS) if first > 0 else 0.0
        out[index, 7] = min(max(1970 + when / YEAR_MS - years[row], 0.0), 100.0) if years[row] > 0 else 20.0
        for value in values[starts[row] : starts[row] + counts[row]]:
            out[index, 8 + columns_of[value]] = 1.0


@compiled
def fill_ratings(out: FloatArray, column: int, rows: IntArray, sums: DoubleArray) -> None:
    """Set a column of out [n, …] for rows [n]: the mean rating, about 0."""
    for at in range(len(rows)):
        out[at, column] = _smoothed(sums[rows[at], 1], sums[rows[at], 0]) - PRIOR_MEAN
