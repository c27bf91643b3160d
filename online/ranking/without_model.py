"""The order of a list that no model ranks: the ranks that the channels give, weighed together."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from features.arrays import FloatArray, IntArray

CONSTANT: Final = 60.0
"""Of reciprocal rank fusion, as in its paper (G. Cormack, C. Clarke, S. Büttcher, SIGIR 2009)."""
WEIGHTS: Final = {
    **dict.fromkeys(("popular_day", "popular", "trending", "newest"), 0.02),
    **dict.fromkeys(("new", "era", "segments"), 0.1),
    **dict.fromkeys(("again", "due"), 0.2),
    "together": 0.3,
}
"""Channels that count less than in full: those that know nothing or little of the user, of which there are so many that they
would outvote the others, those whose items the user knows already, and the one out of which popularity is taken. Chosen on
clicks of real shops and a drawn one, none of which a figure is reported on (`docs/models.md`); `due` and `segments` were not
there yet: they have what `again` and `era` have."""


def fallback_scores(rows: IntArray, orders: Mapping[str, IntArray]) -> FloatArray:
    """[n] scores of candidates, from 0 to 1, by the rows that each channel found, best first: the weighted sum over channels of
    1 / (CONSTANT + rank), ranks from 1. A 1 would be the first of every channel."""
    scores = np.zeros(1 + max((int(order.max()) for order in (rows, *orders.values()) if len(order)), default=0))
    weights = {name: WEIGHTS.get(name, 1.0) for name in orders}
    for name, order in orders.items():
        scores[order] += weights[name] * (CONSTANT + 1) / (CONSTANT + 1 + np.arange(len(order)))
    return np.asarray(scores[rows] / max(sum(weights.values()), 1.0), np.float32)
