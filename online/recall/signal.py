"""The signals that rankers read, as channels (`features.signals`)."""

import numpy as np

from features.inputs import Ints
from online.recall.channel import Query


class SignalRecall:
    """What is strongest by one signal."""

    def __init__(self, name: str) -> None:
        self.name = name

    def recall(self, query: Query, limit: int) -> Ints:
        return query.signals.order(self.name)[:limit]


class PopularRecall:
    """What is liked now by everyone; then, so that no list is shorter than it must be, what nobody has liked yet."""

    name = "popular"

    def recall(self, query: Query, limit: int) -> Ints:
        liked = query.signals.order(self.name)[:limit]
        if len(liked) == limit:
            return liked
        others = query.moment.allowed.copy()
        others[liked] = False
        return np.concatenate([liked, np.flatnonzero(others)[: limit - len(liked)]])
