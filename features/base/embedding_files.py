"""Vectors of items, and the vector of a user that they are compared with by inner product.

A version of embeddings, as `offline.embeddings` writes it and the API reads it:

    <version>/meta.json                  `EmbeddingsMeta`
              <kind>/items.ids.npy       int64 [n], ascending
              <kind>/items.npy           float32 [n, W]
"""

from typing import Final

import msgspec
import numpy as np

from features.arrays import DoubleArray, FloatArray

ALS, ITEM2VEC, DEEPWALK, TWOTOWER = "als", "item2vec", "deepwalk", "twotower"
CHANNEL_LIMITS: Final = {ALS: 500, ITEM2VEC: 500, DEEPWALK: 50, TWOTOWER: 20}
"""Candidates that a kind gives at most, where no policy says otherwise: what comes later displaces better ones of other channels
(docs/models.md has the figures)."""
META: Final = "meta.json"
IDS_FILE, VECTORS_FILE = "items.ids.npy", "items.npy"
_BLOCK: Final = 65_536


class KindMeta(msgspec.Struct, frozen=True):
    """items, users: how many have a vector; alpha, regularization: of ALS, see `FoldIn`; seconds: that it took to make."""

    items: int
    users: int = 0
    alpha: float = 0.0
    regularization: float = 0.0
    seconds: float = 0.0


class EmbeddingsMeta(msgspec.Struct, frozen=True):
    """The origin of a version of embeddings. base: number of the base; digests: SHA-256 by path within the folder."""

    dataset: str
    base: int
    history_rows: int
    width: int
    seed: int
    kinds: dict[str, KindMeta]
    digests: dict[str, str]


def unit(vectors: FloatArray) -> FloatArray:
    """Rows of length 1; rows of nothing stay so."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


def faded_mean(vectors: FloatArray, shares: FloatArray) -> FloatArray:
    """[W] the mean of vectors [k, W] by shares [k]; at least one of them."""
    return np.asarray(shares @ vectors / shares.sum(), np.float32)


def gram_of(items: FloatArray) -> DoubleArray:
    """[W, W] YᵀY of the items' factors Y [n, W], in double precision, by blocks of rows: a copy of all would be twice as large
    as they are."""
    gram = np.zeros((items.shape[1], items.shape[1]))
    for first in range(0, len(items), _BLOCK):
        block = items[first : first + _BLOCK].astype(np.float64)
        gram += block.T @ block
    return gram


class FoldIn:
    """A user's factors by implicit alternating least squares, from what they like and the items' factors Y [n, W] alone:

        (YᵀY + α Σ yᵢyᵢᵀ + λkI) x = (1 + α) Σ yᵢ        over the k items i that are liked

    which is the half step of Y. Hu, Y. Koren, C. Volinsky (Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008)
    with a confidence of 1 + α in what is liked and 1 in all else, and λ weighed by k, as Spark does. gram: YᵀY (`gram_of`).
    """

    def __init__(self, gram: DoubleArray, alpha: float, regularization: float) -> None:
        self._gram = gram
        self._alpha, self._regularization = alpha, regularization

    def __call__(self, liked: FloatArray) -> FloatArray:
        """[W] from the factors of the items liked, [k, W], each once; at least one of them."""
        rows = liked.astype(np.float64)
        matrix = self._gram + self._alpha * rows.T @ rows
        matrix[np.diag_indices_from(matrix)] += self._regularization * len(rows)
        return np.linalg.solve(matrix, (1 + self._alpha) * rows.sum(axis=0)).astype(np.float32)
