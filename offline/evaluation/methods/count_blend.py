"""The yardstick: a logit blend of counts, without a network, that learns at every query.

What it weighs are recall's signals and two counts of its own: which item came after which, and which items were liked by one user
close to one another. A model that is not better than this is not worth its training.
"""

from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np

from features.arrays import DoubleArray, FloatArray, IntArray
from features.inputs.signals import SIGNAL_COLUMNS, signal_matrix
from features.types import ItemId, UserId
from models.training.lessons.list_data import NO_CANDIDATE, read_ranking_lists
from models.training.row_metrics import TOP
from offline.evaluation.prequential import RankingQuery
from offline.evaluation.protocol import ProtocolRow

EPOCHS: Final = 3
RATE: Final = 0.1
NEIGHBOURS: Final = 20
"""Items of a user before an event that count as near it …"""
FADE: Final = 0.9
"""… each so much less than the one after it."""
DAMPING: Final = 1.0
"""What is added to a count of one item before its root is divided by, so that what is liked by all is near to nobody."""


class CountBlend:
    """A method of an evaluation, which learns from the answer to each of its queries and from every row.

    ranking_lists: a folder of ranking lists (`offline.training_data.ranking_lists`) to begin with; without it, every weight is 1.
    """

    def __init__(self, ranking_lists: Path | None) -> None:
        width = len(SIGNAL_COLUMNS) + 2
        self._weights: DoubleArray = np.ones(width)
        self._squares: DoubleArray = np.full(width, 1e-2)
        self._after = _Counts()
        self._near = _Counts()
        self._latest: dict[UserId, list[ItemId]] = defaultdict(list)
        self._queried: tuple[IntArray, DoubleArray] | None = None
        if ranking_lists is not None:
            self._learn_from(ranking_lists)

    def __call__(self, query: RankingQuery) -> IntArray:
        columns = query.moment.items.columns
        latest = self._latest[query.moment.user_id][::-1]
        ids = columns.ids[query.rows].tolist()
        own = np.array(
            [[self._after.score(latest[:1], item_id), self._near.score(latest, item_id)] for item_id in ids], float
        ).reshape(-1, 2)
        inputs = np.hstack([signal_matrix(query.signals, query.rows).astype(np.float64), np.log1p(own)])
        self._queried = query.rows, inputs
        best: IntArray = query.rows[np.argsort(-(inputs @ self._weights), kind="stable")[:TOP]]
        return best

    def learn(self, row: ProtocolRow, item_row: int) -> None:
        """Learn from what followed: the answer to the query before it, if it was one, and the row."""
        if row.is_query and self._queried is not None:
            rows, inputs = self._queried
            found = np.flatnonzero(rows == item_row)
            if len(found):
                self._step(inputs, int(found[0]), 1.0)
        self._queried = None
        if row.weight > 0:
            latest = self._latest[row.user_id]
            for ago, item_id in enumerate(reversed(latest)):
                self._near.add(item_id, row.item_id, FADE**ago)
                self._near.add(row.item_id, item_id, FADE**ago)
            if latest:
                self._after.add(latest[-1], row.item_id, 1.0)
            latest.append(row.item_id)
            del latest[:-NEIGHBOURS]

    def _step(self, inputs: DoubleArray | FloatArray, answer: int, importance: float) -> None:
        """A step of AdaGrad (Duchi, Hazan, Singer 2011) on the softmax over the candidates."""
        width = inputs.shape[1]
        logits = inputs @ self._weights[:width]
        likely = np.exp(logits - logits.max())
        likely /= likely.sum()
        slope = importance * (likely @ inputs - inputs[answer])
        self._squares[:width] += slope**2
        self._weights[:width] -= RATE * slope / np.sqrt(self._squares[:width])

    def _learn_from(self, ranking_lists: Path) -> None:
        read = read_ranking_lists(ranking_lists)
        for _ in range(EPOCHS):
            for lists in (read.train_lists, read.validation_lists):
                for at in range(len(lists)):
                    known = lists.items[at] != NO_CANDIDATE
                    self._step(lists.signals[at][known], int(lists.answers[at]), float(lists.importances[at]))


class _Counts:
    """How often one item went with another, and how often each did at all."""

    def __init__(self) -> None:
        self._of: dict[ItemId, dict[ItemId, float]] = defaultdict(lambda: defaultdict(float))
        self._totals: dict[ItemId, float] = defaultdict(float)

    def add(self, one: ItemId, other: ItemId, count: float) -> None:
        self._of[one][other] += count
        self._totals[other] += count

    def score(self, latest: list[ItemId], item_id: ItemId) -> float:
        """What leads from the latest items, newest first, to an item."""
        found = 0.0
        for ago, one in enumerate(latest):
            count = self._of[one].get(item_id) if one in self._of else None
            if count:
                found += FADE**ago * count
        return found / (DAMPING + self._totals[item_id]) ** 0.5 if found else 0.0
