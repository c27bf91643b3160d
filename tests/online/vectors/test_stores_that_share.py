"""The vector stores of several processes of a machine, which share what they search."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.base.embedding_files import ALS, ITEM2VEC, VECTORS_FILE, FoldIn, gram_of
from features.base.reader import Base
from features.units import DAY_MS
from online.stores.item_store import ItemStore
from online.vectors import VectorStore
from online.vectors.shared_sets import SharedSets, Source
from online.vectors.vector_sets import EXACT_UP_TO
from tests.online.synthetic_vectors import drawn, write_embeddings
from tests.online.vectors.test_shared_sets import COUNT, WIDTH, Maker, change, folders, names
from tests.schemas import film


class NoModels:
    def get(self, name: str) -> None:
        return None


NO_MODELS = NoModels()


def store_of(folder: Path, store: ItemStore, exact_up_to: int, models: Any = NO_MODELS) -> VectorStore:
    return VectorStore(str(folder), folder / "models", models, store, folder.parent / "sets", exact_up_to)


@pytest.mark.parametrize("exact_up_to", [EXACT_UP_TO, 0], ids=["exact", "lists"])
def test_the_stores_of_two_processes_give_the_same_lists_whatever_rows_their_items_have(
    base: Base, tmp_path: Path, exact_up_to: int
) -> None:
    folder, ids, vectors = tmp_path / "embeddings", np.array([*range(1, 41), 900, 901]), drawn(42)
    write_embeddings(folder / "1", ids, vectors)
    found = []
    for later in ((900, 901), (901, 900)):
        store = ItemStore(base)
        of_process = store_of(folder, store, exact_up_to)
        asyncio.run(of_process.refresh())
        for item_id in later:
            store.put_item(film(item_id, "New", ("Comedy",), 2020, ts=101 * DAY_MS))
            asyncio.run(of_process.refresh())
        assert of_process.refused == {}
        kind = of_process.now()[ALS]
        assert kind.fold_in is not None
        assert kind.fold_in(vectors[:3]) == pytest.approx(FoldIn(gram_of(vectors), 10.0, 0.05)(vectors[:3]))
        rows, _ = kind.index.search(vectors[40], 42, np.ones(len(store), bool))
        found.append(store.columns.ids[rows].tolist())
    assert found[0] == found[1]
    assert set(found[0]) == set(ids.tolist())
    assert names(tmp_path / "sets") == ["als-1", "item2vec-1"]


def test_vectors_that_were_changed_are_refused_also_where_a_set_was_made_of_them(base: Base, tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    write_embeddings(folder / "1", np.arange(1, 41), drawn(40), (ALS,))
    asyncio.run(store_of(folder, ItemStore(base), EXACT_UP_TO).refresh())
    change(folder / "1" / ALS / VECTORS_FILE)
    another = store_of(folder, ItemStore(base), EXACT_UP_TO)
    asyncio.run(another.refresh())
    assert "items.npy was changed or cut" in another.refused[ALS, 1]


def test_the_set_of_removed_vectors_goes(base: Base, tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    for version in (1, 2):
        write_embeddings(folder / str(version), np.arange(1, 41), drawn(40, version), (ALS,))
        of_process = store_of(folder, ItemStore(base), EXACT_UP_TO)
        asyncio.run(of_process.refresh())
    assert names(tmp_path / "sets") == ["als-2"]
    shutil.rmtree(folder / "2")
    asyncio.run(of_process.refresh())
    assert names(tmp_path / "sets") == ["als-1"]
    shutil.rmtree(folder / "1")
    asyncio.run(of_process.refresh())
    assert names(tmp_path / "sets") == ["als-1"], "in use until the process ends"
    asyncio.run(store_of(folder, ItemStore(base), EXACT_UP_TO).refresh())
    assert folders(tmp_path / "sets") == []


class AnotherMeanwhile(NoModels):
    """Models that are asked for during a refresh, in which another process takes in a version of another kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> None:
        write_embeddings(self._folder / "2", np.arange(1, 41), drawn(40, 2), (ALS,))
        source = Source(ALS, 2, "d" * 64, COUNT, WIDTH)
        SharedSets(self._folder.parent / "sets").open(source, Maker())


def test_what_another_process_makes_during_a_refresh_stays(base: Base, tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    write_embeddings(folder / "1", np.arange(1, 41), drawn(40), (ITEM2VEC,))
    asyncio.run(store_of(folder, ItemStore(base), EXACT_UP_TO, AnotherMeanwhile(folder)).refresh())
    assert names(tmp_path / "sets") == ["als-2", "item2vec-1"]


def test_while_a_mirror_replaces_the_folder_of_embeddings_their_sets_stay(base: Base, tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    write_embeddings(folder / "1", np.arange(1, 41), drawn(40))
    of_process = store_of(folder, ItemStore(base), EXACT_UP_TO)
    asyncio.run(of_process.refresh())
    folder.rename(tmp_path / "replaced")
    asyncio.run(of_process.refresh())
    assert names(tmp_path / "sets") == ["als-1", "item2vec-1"]
