"""Nearest items by inner product: exact search up to EXACT_UP_TO vectors, an approximate index above.

The index is faiss' inverted lists (why: docs/decisions/0015): a query probes the PROBES nearest lists and sees only allowed
items; if it finds too few, it probes all lists, which is exact but for half precision.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, FloatArray, IntArray

EXACT_UP_TO: Final = 50_000
PROBES: Final = 512
_SAMPLE: Final = 50
"""Vectors per list that train its centroid."""


class VectorIndex:
    """Vectors [n, W] of the items in `rows` [n] of the store, each row once. Built off the event loop; searched
    and added to on it."""

    def __init__(self, rows: IntArray, vectors: FloatArray, exact_up_to: int = EXACT_UP_TO) -> None:
        self.width = vectors.shape[1]
        self.exact = len(rows) <= exact_up_to
        self._held: _Exact | _Lists = _Exact(rows, vectors) if self.exact else _Lists(rows, vectors)

    def __len__(self) -> int:
        return len(self._held)

    def search(self, query: FloatArray, limit: int, allowed: BoolArray) -> tuple[IntArray, FloatArray]:
        """(rows, inner products) of the best allowed items, best first, at most `limit`; ties by row. allowed: [N] by row; rows
        beyond it are not allowed."""
        return self._held.search(query, limit, allowed)

    def vectors(self, rows: IntArray) -> tuple[BoolArray, FloatArray]:
        """(which of the k rows have a vector [k], their vectors)."""
        return self._held.vectors(rows)

    def add(self, rows: IntArray, vectors: FloatArray) -> None:
        """Add items, in rows beyond all existing ones."""
        self._held.add(rows, vectors)


def _best(rows: IntArray, scores: FloatArray, limit: int) -> tuple[IntArray, FloatArray]:
    """The best `limit`, best first; ties by row, also at the cut-off."""
    if limit < len(scores):
        threshold = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        near = np.flatnonzero(scores >= threshold)
        rows, scores = rows[near], scores[near]
    order = np.lexsort((rows, -scores))[:limit]
    return rows[order], scores[order]


class _Exact:
    """Exact search: compares the query with every vector."""

    def __init__(self, rows: IntArray, vectors: FloatArray) -> None:
        self._rows, self._vectors = rows, np.ascontiguousarray(vectors)
        self._index_of_row: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._reindex()

    def _reindex(self) -> None:
        self._index_of_row = np.full(int(self._rows.max()) + 1 if len(self._rows) else 0, -1, np.int32)
        self._index_of_row[self._rows] = np.arange(len(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, query: FloatArray, limit: int, allowed: BoolArray) -> tuple[IntArray, FloatArray]:
        present = self._rows < len(allowed)
        present[present] = allowed[self._rows[present]]
        return _best(self._rows[present], (self._vectors @ query)[present], limit)

    def vectors(self, rows: IntArray) -> tuple[BoolArray, FloatArray]:
        known = rows < len(self._index_of_row)
        known[known] = self._index_of_row[rows[known]] >= 0
        return known, self._vectors[self._index_of_row[rows[known]]]

    def add(self, rows: IntArray, vectors: FloatArray) -> None:
        self._rows = np.concatenate([self._rows, rows])
        self._vectors = np.concatenate([self._vectors, vectors])
        self._reindex()


class _Lists:
    """Inverted lists. Ids in the index are rows of the store; a row without a vector holds zeros and is never allowed. 2·W + 17
    bytes a row."""

    def __init__(self, rows: IntArray, vectors: FloatArray) -> None:
        import faiss  # 40 MB that a small catalogue does not need

        self._faiss: Any = faiss
        self._lists = max(1, int(4 * len(rows) ** 0.5))
        kind = f"IVF{self._lists},SQfp16"
        self._index: Any = self._faiss.index_factory(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        self._index.cp.niter, self._index.cp.max_points_per_centroid = 10, _SAMPLE
        self._index.train(np.ascontiguousarray(vectors[:: max(1, len(rows) // (_SAMPLE * self._lists))]))
        self._index.make_direct_map()
        self._known: BoolArray = np.zeros(0, bool)
        self.add(rows, vectors)

    def __len__(self) -> int:
        return int(self._known.sum())

    def search(self, query: FloatArray, limit: int, allowed: BoolArray) -> tuple[IntArray, FloatArray]:
        size = min(len(allowed), len(self._known))
        chosen = self._faiss.IDSelectorBitmap(np.packbits(allowed[:size] & self._known[:size], bitorder="little"))
        rows, scores = self._probe(query, limit, chosen, PROBES)
        if len(rows) < limit:
            rows, scores = self._probe(query, limit, chosen, self._lists)
        return rows, scores

    def _probe(self, query: FloatArray, limit: int, chosen: Any, probes: int) -> tuple[IntArray, FloatArray]:
        how = self._faiss.SearchParametersIVF(sel=chosen, nprobe=min(probes, self._lists))
        scores, rows = self._index.search(query[None], limit, params=how)
        present = rows[0] >= 0
        return _best(rows[0][present], scores[0][present], limit)

    def vectors(self, rows: IntArray) -> tuple[BoolArray, FloatArray]:
        known = rows < len(self._known)
        known[known] = self._known[rows[known]]
        found = [self._index.reconstruct(row) for row in rows[known].tolist()]
        return known, np.asarray(found, np.float32).reshape(-1, self._index.d)

    def add(self, rows: IntArray, vectors: FloatArray) -> None:
        first, end = len(self._known), int(rows.max(initial=-1)) + 1
        if rows.min(initial=first) < first:
            raise ValueError(f"expected rows from {first} on, got {rows.min()}")
        block, known = (
            np.zeros((max(0, end - first), vectors.shape[1]), np.float32),
            np.zeros(max(0, end - first), bool),
        )
        block[rows - first], known[rows - first] = vectors, True
        self._index.add(block)
        self._known = np.concatenate([self._known, known])
