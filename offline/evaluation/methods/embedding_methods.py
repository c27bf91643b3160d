"""Embeddings as methods of an evaluation: what lies nearest to the newest positive items."""

from pathlib import Path

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.errors import Broken
from features.inputs.signals import RECENT_FADE, RECENT_LIKED
from models.training.row_metrics import TOP
from offline.evaluation.prequential import RankingQuery


class EmbeddingMethod:
    """The items whose vectors point most where those of the newest positive items do, older ones counting less. Raises Broken for
    a folder that holds none."""

    def __init__(self, folder: Path) -> None:
        try:
            self._ids: IntArray = np.load(folder / "items.ids.npy")
            vectors: FloatArray = np.load(folder / "items.npy")
        except (OSError, ValueError) as error:
            raise Broken(f"{folder} holds no embeddings: {error}") from error
        self._unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        self._rows: IntArray | None = None

    def __call__(self, query: RankingQuery) -> IntArray:
        row_of, size = query.moment.items.row_of, len(query.moment.items)
        if self._rows is None:  # rows of a HistoryWalk do not change
            self._rows = np.array([row_of[item_id] for item_id in self._ids.tolist()], np.int64)
        liked, shares = query.moment.liked(RECENT_LIKED, RECENT_FADE)
        vector_of = np.full(size, -1, np.int64)
        vector_of[self._rows] = np.arange(len(self._rows))
        known = vector_of[liked] >= 0
        scores = np.full(size, -np.inf)
        if known.any():
            scores[self._rows] = self._unit @ (shares[known] @ self._unit[vector_of[liked[known]]])
        scores[~query.moment.allowed] = -np.inf
        best: IntArray = np.argsort(-scores, kind="stable")[:TOP]
        finite: BoolArray = np.isfinite(scores[best])
        return best[finite]
