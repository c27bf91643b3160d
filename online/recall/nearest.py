"""Recall channels by item vectors: nearest neighbours of a user vector. Each is named as its kind of vectors, and finds
nothing while that kind is missing."""

import numpy as np

from features.arrays import FloatArray, IntArray
from features.base.embedding_files import ALS, CHANNEL_LIMITS, DEEPWALK, ITEM2VEC, TWOTOWER, faded_mean
from features.errors import Unavailable
from features.inputs.signals import RECENT_FADE, RECENT_LIKED
from online.query import NONE, Query
from online.recall.channel import Recall
from online.vectors.vector_store import EmbeddingKind


def _nearest(query: Query, kind: EmbeddingKind, vector: FloatArray, limit: int) -> IntArray:
    rows, strengths = kind.index.search(vector, limit, query.moment.allowed)
    query.found[kind.name] = rows, strengths
    return rows


class AlsRecall:
    """Nearest items by ALS; the user's factors are folded in from the live positives."""

    name, default_limit = ALS, CHANNEL_LIMITS[ALS]

    def recall(self, query: Query, limit: int) -> IntArray:
        kind = query.vectors.get(self.name)
        if kind is None or kind.fold_in is None:
            return NONE
        liked, _ = query.moment.liked(len(query.moment.user.sequence), 1.0)
        known, factors = kind.index.vectors(np.unique(liked))
        return _nearest(query, kind, kind.fold_in(factors), limit) if known.any() else NONE


class NearRecall:
    """Nearest items to the newest positive ones, older ones weighing less."""

    def __init__(self, name: str) -> None:
        self.name, self.default_limit = name, CHANNEL_LIMITS[name]

    def recall(self, query: Query, limit: int) -> IntArray:
        kind = query.vectors.get(self.name)
        if kind is None:
            return NONE
        liked, shares = query.moment.liked(RECENT_LIKED, RECENT_FADE)
        known, vectors = kind.index.vectors(liked)
        return _nearest(query, kind, faded_mean(vectors, shares[known]), limit) if known.any() else NONE


class TowerRecall:
    """Nearest items by the two-tower model; the user's vector (`Query.user_vector`) is fetched while other channels run."""

    name, default_limit = TWOTOWER, CHANNEL_LIMITS[TWOTOWER]

    def recall(self, query: Query, limit: int) -> IntArray:
        kind = query.vectors.get(self.name)
        if kind is None:
            return NONE
        if query.user_vector is None:
            raise Unavailable("no vector of the user came in time")
        return _nearest(query, kind, query.user_vector, limit)


VECTOR_CHANNELS: tuple[Recall, ...] = (AlsRecall(), NearRecall(ITEM2VEC), NearRecall(DEEPWALK), TowerRecall())
