"""Models of LensKit (M. Ekstrand et al.): each query has the user's newest rows as its items."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from lenskit.data import ItemList, RecQuery, from_interactions_df
from lenskit.pipeline import Component
from lenskit.training import TrainingOptions

from features.arrays import IntArray, RealArray
from offline.evaluation.peers.interactions import InteractionLog

SEED = 7


class LensKit:
    """Any of LensKit's scorers that reads the query's items. newest: how many of them it gets, all where None."""

    def __init__(self, scorer: Component[ItemList], newest: int | None = None) -> None:
        self._scorer = scorer
        self._newest = newest

    def learn(self, log: InteractionLog) -> None:
        frame = pd.DataFrame({"user_id": log.users, "item_id": log.items, "timestamp": log.times})
        self._scorer.train(from_interactions_df(frame), TrainingOptions(rng=SEED))
        self._learned = np.isin(np.arange(len(log.ids)), log.items)  # items it was not taught make it fail
        self._rows = np.flatnonzero(self._learned)
        self._all = ItemList(item_ids=self._rows)

    def score(self, histories: Sequence[IntArray]) -> RealArray:
        out = np.full((len(histories), len(self._learned)), np.nan)
        for row, history in enumerate(histories):
            query_rows = history[self._learned[history]]
            query_rows = query_rows if self._newest is None else query_rows[-self._newest :]
            query = RecQuery(history_items=ItemList(item_ids=query_rows))
            answer = self._scorer(query, self._all).scores() if len(query_rows) else None
            if answer is not None:
                out[row, self._rows] = answer
        return out


class LensKitPopular:
    """The number of ratings of each item."""

    def __init__(self, scorer: Component[ItemList]) -> None:
        self._scorer = scorer

    def learn(self, log: InteractionLog) -> None:
        frame = pd.DataFrame({"user_id": log.users, "item_id": log.items, "timestamp": log.times})
        self._scorer.train(from_interactions_df(frame), TrainingOptions(rng=SEED))
        self._scores = self._scorer(ItemList(item_ids=np.arange(len(log.ids)))).scores()

    def score(self, histories: Sequence[IntArray]) -> RealArray:
        return np.tile(self._scores, (len(histories), 1))
