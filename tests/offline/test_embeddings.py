"""Embeddings tell apart what is liked by different people, and are the same in every run."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.base.embedding_files import ALS, FoldIn, gram_of
from features.base.reader import Base
from features.errors import BadInput
from offline.base.from_dataset import make_base
from offline.datasets.dataset import open_dataset
from offline.embeddings import KINDS, WALK_LENGTH, WALKS, make_embeddings, random_walks
from online.vectors.files import read_ids, read_meta, read_vectors
from tests.schemas import MOVIES

pytestmark = pytest.mark.spark

Write = Callable[..., Path]


def two_worlds(write_folder: Write) -> Path:
    """30 users like items 1 to 8 in some order, 30 others 11 to 18; nobody both."""
    rng = np.random.default_rng(1)
    rows = []
    for user in range(60):
        liked = rng.permutation(8) + (1 if user % 2 else 11)
        rows += [(user + 1, int(item), 5.0, 900_000_000 + user * 1000 + at) for at, item in enumerate(liked)]
    return write_folder(rows)


def test_every_kind_separates_two_worlds_and_has_users_in_theirs(
    spark: Any, tmp_path: Path, write_folder: Write
) -> None:
    dataset = open_dataset(str(two_worlds(write_folder)), tmp_path / "data")
    make_base(spark, dataset, 1.0, tmp_path / "1", MOVIES)
    meta = make_embeddings(spark, dataset, Base(tmp_path / "1"), tmp_path / "embeddings")
    assert set(meta.kinds) == set(KINDS)
    assert read_meta(tmp_path / "embeddings") == meta
    digests = {path.removeprefix("als/"): digest for path, digest in meta.digests.items()}
    als = tmp_path / "embeddings" / ALS
    assert len(read_vectors(als, read_ids(als, digests), meta.width, digests)) == 16
    for kind in KINDS:
        folder = tmp_path / "embeddings" / kind
        ids, items, user_ids, users = (
            np.load(folder / f"{name}.npy") for name in ("items.ids", "items", "users.ids", "users")
        )
        assert ids.tolist() == [*range(1, 9), *range(11, 19)]
        assert user_ids.tolist() == list(range(1, 61))
        unit = items / np.linalg.norm(items, axis=1, keepdims=True)
        alike = unit @ unit.T
        same = (ids[:, None] > 9) == (ids > 9)
        np.fill_diagonal(alike, np.nan)
        assert np.nanmean(alike[same]) > np.nanmean(alike[~same]) + 0.2, kind
        liking = users @ items.T
        odd = user_ids % 2 == 1
        mine = np.where(odd[:, None], ids > 9, ids < 9)  # user n + 1 of an odd n likes 1 to 8
        assert (np.where(mine, liking, 0).sum(1) > np.where(mine, 0, liking).sum(1)).mean() > 0.95, kind
        if kind == ALS:  # what the API folds in from what a user likes is what Spark found
            fold_in = FoldIn(gram_of(items), meta.kinds[ALS].alpha, meta.kinds[ALS].regularization)
            assert users[0] == pytest.approx(fold_in(items[ids > 9]), abs=1e-5)
            assert users[1] == pytest.approx(fold_in(items[ids < 9]), abs=1e-5)


def test_walks_follow_edges_and_are_the_same_again() -> None:
    graph = {1: (np.array([2, 3]), np.array([0.5, 1.0])), 2: (np.array([1]), np.array([1.0]))}
    walks = random_walks(graph, 1)
    assert walks == random_walks(graph, 1)
    assert len(walks) == WALKS
    for walk in walks:
        assert walk[0] == "1"
        assert len(walk) <= WALK_LENGTH
        assert all(later in {"1": "23", "2": "1"}[earlier] for earlier, later in pairwise(walk))
        assert len(walk) == WALK_LENGTH or walk[-1] == "3"  # nothing follows 3


@pytest.mark.soak
def test_what_can_not_be_is_refused(spark: Any, tmp_path: Path, write_folder: Write) -> None:
    dataset = open_dataset(str(write_folder([(1, 1, 2.0, 900_000_000), (2, 1, 3.0, 900_000_001)])), tmp_path / "data")
    make_base(spark, dataset, 1.0, tmp_path / "1", MOVIES)
    base = Base(tmp_path / "1")
    with pytest.raises(BadInput, match="expected one of als, item2vec, deepwalk, got word2vec"):
        make_embeddings(spark, dataset, base, tmp_path / "out", ["word2vec"])
    with pytest.raises(BadInput, match="a history with an event of a weight above 0"):
        make_embeddings(spark, dataset, base, tmp_path / "out")
