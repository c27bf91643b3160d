"""Recall channels by the ranking signals (`features.inputs.signals`), pinned items and new items."""

from typing import Final

import numpy as np

from features.arrays import IntArray
from features.inputs.signals import MAX_RANKED
from online.query import Query
from online.recall.channel import NO_LIMIT


class SignalRecall:
    """The strongest items by one signal."""

    default_limit = NO_LIMIT

    def __init__(self, name: str) -> None:
        self.name = name

    def recall(self, query: Query, limit: int) -> IntArray:
        return query.signals.order(self.name)[:limit]


class PopularRecall:
    """The most liked items; then, so that lists are full, items without likes."""

    name, default_limit = "popular", NO_LIMIT

    def recall(self, query: Query, limit: int) -> IntArray:
        liked = query.signals.order(self.name)[:limit]
        if len(liked) == min(limit, MAX_RANKED):
            return liked
        others = query.moment.allowed.copy()
        others[liked] = False
        return np.concatenate([liked, np.flatnonzero(others)[: limit - len(liked)]])


PINNED: Final = "pinned"


class GivenRecall:
    """Rows that a rule chose beforehand, in its order."""

    default_limit = NO_LIMIT

    def __init__(self, name: str, rows: IntArray) -> None:
        self.name, self._rows = name, rows

    def recall(self, query: Query, limit: int) -> IntArray:
        return self._rows[:limit]


class NewRecall:
    """Items new in the catalogue: by the user's taste for their facets, ties by age, the newest first."""

    name, default_limit = "new", NO_LIMIT

    def recall(self, query: Query, limit: int) -> IntArray:
        moment = query.moment
        rows: IntArray = query.new_items[moment.allowed[query.new_items]]
        if not len(rows):
            return rows
        facets = moment.items.columns.facets
        liked = facets.sums(rows, *moment.liking) / np.maximum(facets.counts(rows), 1)
        return np.asarray(rows[np.argsort(-liked, kind="stable")][:limit], np.int64)
