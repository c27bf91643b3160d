"""Channels by vectors of items: what lies where a vector of the user points. Each has the name of its kind of vectors, and is
there while they are."""

import numpy as np

from features.arrays import FloatArray, IntArray
from features.base.embedding_files import ALS, CHANNEL_LIMITS, DEEPWALK, ITEM2VEC, TWOTOWER, faded_mean
from features.errors import Unavailable
from features.inputs.signals import RECENT_FADE, RECENT_LIKED
from online.query import NONE, Query
from online.recall.channel import Recall
from online.vectors.vector_store import Kind


def _nearest(query: Query, kind: Kind, vector: FloatArray, limit: int) -> IntArray:
    rows, strengths = kind.index.search(vector, limit, query.moment.allowed)
    query.found[kind.name] = rows, strengths
    return rows


class AlsRecall:
    """By ALS, with factors of the user that the live positives are folded into."""

    name, most = ALS, CHANNEL_LIMITS[ALS]

    def recall(self, query: Query, limit: int) -> IntArray:
        kind = query.vectors.get(self.name)
        if kind is None or kind.fold_in is None:
            return NONE
        liked, _ = query.moment.liked(len(query.moment.user.sequence), 1.0)
        known, factors = kind.index.vectors(np.unique(liked))
        return _nearest(query, kind, kind.fold_in(factors), limit) if known.any() else NONE


class NearRecall:
    """By what lies near the newest positive items, older ones counting less."""

    def __init__(self, name: str) -> None:
        self.name, self.most = name, CHANNEL_LIMITS[name]

    def recall(self, query: Query, limit: int) -> IntArray:
        kind = query.vectors.get(self.name)
        if kind is None:
            return NONE
        liked, shares = query.moment.liked(RECENT_LIKED, RECENT_FADE)
        known, vectors = kind.index.vectors(liked)
        return _nearest(query, kind, faded_mean(vectors, shares[known]), limit) if known.any() else NONE


class TowerRecall:
    """By the two-tower model: the user's vector was asked for (`Query.user_vector`) while other channels were at work."""

    name, most = TWOTOWER, CHANNEL_LIMITS[TWOTOWER]

    def recall(self, query: Query, limit: int) -> IntArray:
        kind = query.vectors.get(self.name)
        if kind is None:
            return NONE
        if query.user_vector is None:
            raise Unavailable("no vector of the user came in time")
        return _nearest(query, kind, query.user_vector, limit)


VECTOR_CHANNELS: tuple[Recall, ...] = (AlsRecall(), NearRecall(ITEM2VEC), NearRecall(DEEPWALK), TowerRecall())
