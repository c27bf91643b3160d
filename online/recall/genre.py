"""The best liked items of the genres that the user likes now."""

import numpy as np

from features.inputs import Ints, tastes
from online.recall.channel import Query

TOP_GENRES = 4


class GenreRecall:
    name = "genre"

    def recall(self, query: Query, limit: int) -> Ints:
        if not query.user.tastes:
            return np.zeros(0, np.int64)
        hour, day, weeks = tastes(query.user, query.at, query.items.genres, query.weights)
        liking = hour + day + weeks
        liked = [genre for genre in np.argsort(-liking)[:TOP_GENRES] if liking[genre] > 0]
        if not liked:
            return np.zeros(0, np.int64)
        order, _ = query.items.popular(query.at)
        order = order[query.allowed[order]]
        of_genre = query.items.columns.genres[order][:, liked] > 0
        share = liking[liked] / liking[liked].sum()
        best = [order[of_genre[:, at]][: max(1, int(limit * part))] for at, part in enumerate(share)]
        _, first = np.unique(together := np.concatenate(best), return_index=True)
        return np.asarray(together[np.sort(first)][:limit], np.int64)
