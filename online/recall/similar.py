"""Item-to-item: what others liked next to the user's last positive items, newer ones counting more."""

import numpy as np

from features.inputs import Ints
from online.recall.channel import Query

LAST = 20
FADE = 0.85


class SimilarRecall:
    name = "similar"

    def recall(self, query: Query, limit: int) -> Ints:
        scores: dict[int, float] = {}
        weight = 1.0
        for item_id, _ in reversed(query.user.sequence[-LAST:]):
            for row, similarity in query.items.similar(item_id):
                if query.allowed[row]:
                    scores[row] = scores.get(row, 0.0) + weight * similarity
            weight *= FADE
        best = sorted(scores, key=lambda row: (-scores[row], row))[:limit]
        return np.asarray(best, np.int64)
