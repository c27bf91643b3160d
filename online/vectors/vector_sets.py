"""Vectors as they are searched by inner product: exactly up to EXACT_UP_TO of them, by an approximate index above.

The index is faiss' inverted lists (why: docs/decisions/0015): a query probes the PROBES nearest lists and sees only allowed
vectors; if it finds too few, it probes all lists, which is exact but for half precision. A set does not change: it is made in
memory, or mapped from the files that `write` made, and answers the same either way.
"""

from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from features.arrays import FloatArray, IntArray
from features.errors import Broken
from features.recall.row_bits import Bits

EXACT_UP_TO: Final = 50_000
PROBES: Final = 512
INDEX_FILE, ARRAY_FILE = "vectors.faiss", "vectors.npy"
_SAMPLE: Final = 50
"""Vectors per list that train its centroid, …"""
_ROUNDS: Final = 10
"""… in so many rounds of k-means."""


class VectorSet(Protocol):
    """n vectors of `width` columns, each named by its index from 0. exact: whether a search compares with all."""

    width: int
    exact: bool

    def __len__(self) -> int: ...

    def nearest(self, query: FloatArray, limit: int, allowed: Bits) -> tuple[IntArray, FloatArray]:
        """(indices, inner products) of allowed vectors, the `limit` best among them, in any order. query: [width]; allowed: a
        bit of each."""
        ...

    def vectors(self, indices: IntArray) -> FloatArray:
        """[k, width] the vectors of k indices; of an index in half precision."""
        ...

    def write(self, folder: Path) -> None:
        """Write the file that `read_set` maps. Raises OSError."""
        ...


def make_set(vectors: FloatArray, exact_up_to: int = EXACT_UP_TO) -> VectorSet:
    """The set of vectors [n, W], in memory. A million take half a minute of a processor."""
    return _Exact(np.ascontiguousarray(vectors)) if len(vectors) <= exact_up_to else _Lists.of(vectors)


def read_set(file: Path) -> VectorSet:
    """The set in a file that `write` made, mapped: processes that read the same one have it in memory once. Raises Broken."""
    try:
        if file.name == INDEX_FILE:
            return _Lists.mapped(file)
        return _Exact(np.asarray(np.load(file, mmap_mode="r", allow_pickle=False)))
    except (OSError, ValueError, RuntimeError) as error:  # the last one is faiss'
        raise Broken(f"{file} can't be read: {error}") from error


def parameters(count: int, exact_up_to: int = EXACT_UP_TO) -> str:
    """All that the file of a set of so many vectors depends on beside these."""
    if count <= exact_up_to:
        return "exact"
    return f"faiss {_faiss().__version__}, {_kind(count)}, {_SAMPLE} a list, {_ROUNDS} rounds"


def file_size(count: int, width: int, exact_up_to: int = EXACT_UP_TO) -> int:
    """About how many bytes the file of a set of so many vectors has: an index has them in half precision, 16 bytes each of what
    is where, and the lists' centroids."""
    if count <= exact_up_to:
        return 4 * width * count
    return (2 * width + 16) * count + 4 * width * _list_count(count)


def _faiss() -> Any:
    import faiss  # 40 MB that a small catalogue does not need

    return faiss


def _list_count(count: int) -> int:
    return max(1, int(4 * count**0.5))


def _kind(count: int) -> str:
    return f"IVF{_list_count(count)},SQfp16"


class _Exact:
    """Exact search: compares the query with every vector."""

    exact = True

    def __init__(self, vectors: FloatArray) -> None:
        self._vectors, self.width = vectors, vectors.shape[1]

    def __len__(self) -> int:
        return len(self._vectors)

    def nearest(self, query: FloatArray, limit: int, allowed: Bits) -> tuple[IntArray, FloatArray]:
        indices = np.flatnonzero(np.unpackbits(allowed, count=len(self), bitorder="little"))
        return indices, (self._vectors @ query)[indices]

    def vectors(self, indices: IntArray) -> FloatArray:
        return self._vectors[indices]

    def write(self, folder: Path) -> None:
        np.save(folder / ARRAY_FILE, self._vectors)


class _Lists:
    """Inverted lists in half precision: 2·W + 16 bytes a vector, of which 8 are each process' own."""

    exact = False

    def __init__(self, index: Any) -> None:
        self._index, self.width = index, int(index.d)

    @classmethod
    def of(cls, vectors: FloatArray) -> "_Lists":
        faiss, count = _faiss(), len(vectors)
        index = faiss.index_factory(vectors.shape[1], _kind(count), faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.max_points_per_centroid = _ROUNDS, _SAMPLE
        index.train(np.ascontiguousarray(vectors[:: max(1, count // (_SAMPLE * index.nlist))]))
        index.make_direct_map()
        index.add(np.ascontiguousarray(vectors))
        return cls(index)

    @classmethod
    def mapped(cls, file: Path) -> "_Lists":
        """The set in a file, mapped. Of faiss' two ways the other one, IO_FLAG_MMAP, reads ahead by threads of its own."""
        faiss = _faiss()
        return cls(faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def nearest(self, query: FloatArray, limit: int, allowed: Bits) -> tuple[IntArray, FloatArray]:
        chosen = _faiss().IDSelectorBitmap(allowed)
        indices, scores = self._probe(query, limit, chosen, PROBES)
        if len(indices) < limit:
            indices, scores = self._probe(query, limit, chosen, self._index.nlist)
        return indices, scores

    def _probe(self, query: FloatArray, limit: int, chosen: Any, probes: int) -> tuple[IntArray, FloatArray]:
        how = _faiss().SearchParametersIVF(sel=chosen, nprobe=min(probes, self._index.nlist))
        scores, indices = self._index.search(query[None], limit, params=how)
        present = indices[0] >= 0
        return indices[0][present], scores[0][present]

    def vectors(self, indices: IntArray) -> FloatArray:
        found = [self._index.reconstruct(index) for index in indices.tolist()]
        return np.asarray(found, np.float32).reshape(-1, self.width)

    def write(self, folder: Path) -> None:
        try:
            _faiss().write_index(self._index, str(folder / INDEX_FILE))
        except RuntimeError as error:
            raise OSError(f"{folder / INDEX_FILE}: {error}") from error
