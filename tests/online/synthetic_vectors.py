"""Vectors of the small base's films, in memory and on disk."""

import hashlib
import json
from pathlib import Path

import numpy as np

from features.arrays import FloatArray, IntArray
from features.base.embedding_files import (
    ALS,
    DEEPWALK,
    IDS_FILE,
    ITEM2VEC,
    META,
    TWOTOWER,
    VECTORS_FILE,
    FoldIn,
    gram_of,
    unit,
)
from online.stores.item_store import ItemStore
from online.vectors import EmbeddingKind, VectorIndex
from online.vectors.vector_sets import make_set

WIDTH = 6
KINDS = (ALS, ITEM2VEC, DEEPWALK, TWOTOWER)


def drawn(count: int, seed: int = 1, width: int = WIDTH) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def kinds_of(store: ItemStore) -> dict[str, EmbeddingKind]:
    """All four kinds of vectors, of every item of a store."""
    rows = np.arange(len(store))
    made = {}
    for seed, name in enumerate(KINDS):
        vectors = drawn(len(store), seed)
        index = VectorIndex(rows, make_set(vectors if name == ALS else unit(vectors)))
        made[name] = EmbeddingKind(
            name, 1, index, fold_in=FoldIn(gram_of(vectors), 10.0, 0.05) if name == ALS else None
        )
    return made


def write_embeddings(
    folder: Path, ids: IntArray, vectors: FloatArray, kinds: tuple[str, ...] = (ALS, ITEM2VEC)
) -> None:
    """Write a version in the format of `offline.embeddings`."""
    digests = {}
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for name, array in ((IDS_FILE, ids), (VECTORS_FILE, vectors)):
            np.save(folder / kind / name, array)
            digests[f"{kind}/{name}"] = hashlib.sha256((folder / kind / name).read_bytes()).hexdigest()
    made = {kind: {"items": len(ids), "alpha": 10.0, "regularization": 0.05} for kind in kinds}
    meta = {
        "dataset": "small",
        "base": 1,
        "history_rows": 9,
        "width": WIDTH,
        "seed": 7,
        "kinds": made,
        "digests": digests,
    }
    (folder / META).write_text(json.dumps(meta))
