"""Models of the library `implicit` (B. Frederickson): weighted ALS of Hu, Koren, Volinsky 2008, BPR of Rendle et al. 2009."""

from collections.abc import Sequence

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from scipy.sparse import csr_matrix

from features.arrays import IntArray, RealArray
from offline.evaluation.peers.interactions import InteractionLog

SEED = 7


def matrix(log: InteractionLog) -> csr_matrix:
    shape = (int(log.users.max()) + 1, len(log.ids))
    out = csr_matrix((np.ones(len(log.items), np.float32), (log.users, log.items)), shape)
    out.data[:] = 1
    return out


class ImplicitALS:
    """The user's vector is solved for anew at each query, from the newest rows."""

    def __init__(self, factors: int, regularization: float, alpha: float, iterations: int) -> None:
        self._model = AlternatingLeastSquares(
            factors, regularization, alpha, iterations=iterations, random_state=SEED, num_threads=1
        )

    def learn(self, log: InteractionLog) -> None:
        self._model.fit(matrix(log), show_progress=False)

    def score(self, histories: Sequence[IntArray]) -> RealArray:
        counts = [len(each) for each in histories]
        items = np.concatenate(histories)
        rows = csr_matrix(
            (np.ones(len(items), np.float32), items, np.r_[0, np.cumsum(counts)]),
            (len(histories), self._model.item_factors.shape[0]),
        )
        vectors = np.atleast_2d(self._model.recalculate_user(np.arange(len(histories)), rows))
        scores: RealArray = vectors @ self._model.item_factors.T
        scores[np.array(counts) == 0] = np.nan
        return scores


class ImplicitBPR:
    """The library solves for no new user: the user's vector is the mean of the items' of the newest rows."""

    def __init__(self, factors: int, learning_rate: float, regularization: float, iterations: int, newest: int) -> None:
        self._newest = newest
        self._model = BayesianPersonalizedRanking(
            factors, learning_rate, regularization, iterations=iterations, random_state=SEED, num_threads=1
        )

    def learn(self, log: InteractionLog) -> None:
        self._model.fit(matrix(log), show_progress=False)

    def score(self, histories: Sequence[IntArray]) -> RealArray:
        factors = self._model.item_factors[:, :-1]  # the last column is the item's bias
        unit = factors / np.maximum(np.linalg.norm(factors, axis=1, keepdims=True), 1e-9)
        nobody = np.full(factors.shape[1], np.nan)
        vectors = np.stack([unit[each[-self._newest :]].mean(0) if len(each) else nobody for each in histories])
        scores: RealArray = vectors @ unit.T
        return scores
