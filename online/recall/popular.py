"""What is liked now by everyone, decayed with a half-life of 14 days."""

import numpy as np

from features.inputs import Ints
from online.recall.channel import Query


class PopularRecall:
    name = "popular"

    def recall(self, query: Query, limit: int) -> Ints:
        order, _ = query.items.popular(query.at)
        return np.asarray(order[query.allowed[order]][:limit], np.int64)
