"""What is liked now by everyone, decayed with a half-life of 14 days."""

from features.inputs import Ints
from online.recall.channel import Query


class PopularRecall:
    name = "popular"

    def recall(self, query: Query, limit: int) -> Ints:
        order, _ = query.items.popular(query.at)
        return order[query.allowed[order]][:limit]
