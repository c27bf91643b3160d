"""What is popular among items with facet values that a user likes: found by what the values' items are, or along what is popular,
whichever is the shorter way."""

from math import isqrt
from typing import Final

from features.arrays import BoolArray, FloatArray, IntArray
from features.inputs.facet_table import FacetTable
from features.recall.sparse import best
from features.recall.whole_order import WholeOrder

DEPTH: Final = 10
"""A walk along what is popular meets `limit` items with a liked value after some limit * all items / those that have one, and
goes about so many times as far until nothing further can be among the best."""


def popular_by_taste(
    facets: FacetTable,
    weights: FloatArray,
    popular: WholeOrder,
    factors: FloatArray,
    allowed: BoolArray,
    limit: int,
    depth: int = DEPTH,
) -> IntArray:
    """The first `limit` allowed rows by the mean weight of their facet values, times the row's factor [N], where that is above 0;
    ties by row. weights: [V], 0 or more, of each value by number; factors never rise along the order `popular`."""
    max_rows = isqrt(depth * limit * len(factors))
    keys = facets.best_having(weights, factors, allowed, limit, max_rows)
    if keys is None:
        return popular.best_weighted(facets.runs, weights, factors, allowed, limit)
    return best(keys, limit)
