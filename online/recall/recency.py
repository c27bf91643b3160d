"""Recall channels that are not ranking signals: trending, newest, era, session.

Most return only a few candidates, so that they do not push out those of stronger channels.
"""

from typing import Final

import numpy as np

from features.arrays import IntArray
from features.inputs.standing import DECADES
from features.recall.compiled import scratch
from features.recall.sparse import best, both_sums, read_values
from features.units import ends_session
from online.query import Query

FEW: Final = 40
FIRST_STEP: Final = 50
"""Items near the session from which others are reached in a second step."""


class TrendingRecall:
    """Items with more events than usual in the last day."""

    name, default_limit = "trending", FEW

    def recall(self, query: Query, limit: int) -> IntArray:
        return query.moment.standing.order(self.name).best(query.moment.allowed, limit)


class NewestRecall:
    """What came out last, the most liked first within a year; of items that have no years within a day."""

    name, default_limit = "newest", FEW

    def recall(self, query: Query, limit: int) -> IntArray:
        return query.moment.standing.order(self.name).best(query.moment.allowed, limit)


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
        weights = np.bincount(decades[rows[known]], shares[known], DECADES).astype(np.float32)
        return moment.standing.order("popular").best_weighted(
            moment.standing.by_decade, weights, moment.standing.root, moment.allowed, limit
        )


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
        together = moment.items.together
        anything, room = moment.standing.everything, scratch(len(moment.items.columns))
        sums = room.sums, room.touched
        near = both_sums(
            moment.items.similar.spread(rows, shares, anything),
            together.spread(rows, shares, anything),
            anything,
            *sums,
        )
        first = best(near, FIRST_STEP)
        again = together.spread(first, read_values(near, first, room.sums), anything)
        return best(both_sums(near, again, moment.allowed, *sums), limit)
