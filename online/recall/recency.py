"""Recall channels that are not ranking signals: trending, newest, era, session.

Most return only a few candidates, so that they do not push out those of stronger channels.
"""

from typing import Final

import numpy as np

from features.arrays import FloatArray, IntArray
from features.inputs.standing import best_rows
from features.units import ends_session
from online.query import Query

FEW: Final = 40
FIRST_STEP: Final = 50
"""Items near the session from which others are reached in a second step."""


class TrendingRecall:
    """Items with more events than usual in the last day."""

    name, default_limit = "trending", FEW

    def recall(self, query: Query, limit: int) -> IntArray:
        return query.moment.standing.best(self.name, query.moment.standing.trending, query.moment.allowed, limit)


class NewestRecall:
    """The most recent releases, the most liked first within a year."""

    name, default_limit = "newest", FEW

    def recall(self, query: Query, limit: int) -> IntArray:
        return query.moment.standing.best(self.name, query.moment.standing.newest, query.moment.allowed, limit)


class EraRecall:
    """Popular items of the decades that the user likes, newer likes weighing more."""

    name, default_limit = "era", FEW

    def recall(self, query: Query, limit: int) -> IntArray:
        moment = query.moment
        decades = moment.standing.decades
        rows, shares = moment.liked(20, 0.9)
        known = decades[rows] > 0
        if not known.any():
            return np.zeros(0, np.int64)
        weights = np.bincount(decades[rows[known]], shares[known], decades.max() + 1)
        return _best(query, np.asarray(weights[decades] * moment.standing.root, np.float32), limit)


class SessionRecall:
    """Items near to those that the user has touched in this session and not disliked, and what is liked together with those: two
    steps from the session, as through the sessions of others. A single click of a user without history counts too."""

    name, default_limit = "session", 100

    def recall(self, query: Query, limit: int) -> IntArray:
        moment = query.moment
        rows = moment.session
        if not len(rows) or ends_session(moment.at - moment.latest[-1][1]):
            return np.zeros(0, np.int64)
        shares = np.asarray(0.9 ** np.arange(len(rows) - 1, -1, -1), np.float32)
        together, size = moment.items.together, moment.size
        near = moment.items.similar.spread(rows, shares, size) + together.spread(rows, shares, size)
        first = best_rows(near, FIRST_STEP)
        return _best(query, near + together.spread(first, near[first], size), limit)


def _best(query: Query, strengths: FloatArray, limit: int) -> IntArray:
    return best_rows(np.where(query.moment.allowed, strengths, np.float32(0)), limit)
