"""The signals that rankers read, as channels (`features.inputs.signals`)."""

import numpy as np

from features.arrays import IntArray
from features.inputs.signals import MAX_RANKED
from online.query import Query
from online.recall.channel import ALL


class SignalRecall:
    """What is strongest by one signal."""

    most = ALL

    def __init__(self, name: str) -> None:
        self.name = name

    def recall(self, query: Query, limit: int) -> IntArray:
        return query.signals.order(self.name)[:limit]


class PopularRecall:
    """What is liked now by everyone; then, so that no list is shorter than it must be, what nobody has liked yet."""

    name, most = "popular", ALL

    def recall(self, query: Query, limit: int) -> IntArray:
        liked = query.signals.order(self.name)[:limit]
        if len(liked) == min(limit, MAX_RANKED):
            return liked
        others = query.moment.allowed.copy()
        others[liked] = False
        return np.concatenate([liked, np.flatnonzero(others)[: limit - len(liked)]])


class GivenRecall:
    """What was chosen beforehand: rows that a rule brings, in its order."""

    most = ALL

    def __init__(self, name: str, rows: IntArray) -> None:
        self.name, self._rows = name, rows

    def recall(self, query: Query, limit: int) -> IntArray:
        return self._rows[:limit]


class NewRecall:
    """What has just come into the catalogue: those first that are of genres that the user likes, then the newest."""

    name, most = "new", ALL

    def recall(self, query: Query, limit: int) -> IntArray:
        moment = query.moment
        rows: IntArray = query.news[moment.allowed[query.news]]
        if not len(rows):
            return rows
        liking = moment.tastes.sum(axis=0)
        genres = moment.items.columns.genres[rows]
        liked = genres @ liking / np.maximum(genres.sum(axis=1), 1)
        return np.asarray(rows[np.argsort(-liked, kind="stable")][:limit], np.int64)
