"""Weights between items: those of the newest base that fits, taken over while lists are made."""

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest

from features.base.reader import EASE, MANIFEST, RELATIONS, REPEATS, SIMILAR, Base
from features.base.repeat_lifts import SPANS
from features.schema.tables import Schema
from offline.item_weights.build import write_relations
from offline.item_weights.repeat_rates import write_lifts
from online.recall.newest_weights import NAME, NewestWeights
from online.stores.item_store import ItemStore
from tests.online.conftest import write_base
from tests.schemas import MOVIES, SHOP, film


def near(store: ItemStore, kind: str, item_id: int) -> list[int]:
    """The neighbours of an item, best first."""
    row = store.row(item_id)
    assert row is not None
    rows, _ = store.index.kinds[kind].near(row)
    return [int(store.columns.ids[other]) for other in rows]


def newer_base(base: Base, number: int, neighbour: int, schema: Schema = MOVIES) -> Path:
    """A base beside another one, in which item 1 has one neighbour."""
    folder = base.folder.parent / str(number)
    write_base(folder, schema)
    arrays = np.array([1]), np.array([0, 1]), np.array([neighbour]), np.array([0.7], np.float32)
    for kind in (EASE, SIMILAR):
        shutil.rmtree(folder / RELATIONS / kind)
        write_relations(folder / RELATIONS / kind, *arrays)
    write_lifts(folder / RELATIONS / REPEATS, np.array([1]), np.full((1, SPANS), number, np.float32))
    return folder


@pytest.fixture
def weights(base: Base, store: ItemStore) -> NewestWeights:
    return NewestWeights(base, store)


def test_those_of_a_newer_base_are_taken_over_and_those_of_an_older_one_not(
    base: Base, store: ItemStore, weights: NewestWeights
) -> None:
    asyncio.run(weights.refresh())
    assert (weights.number, near(store, "ease", 1)) == (1, [5, 6, 3])
    held = store.index  # of a list that is being made
    newer_base(base, 3, 9)
    newer_base(base, 2, 8)
    for _ in range(2):
        asyncio.run(weights.refresh())
        assert (weights.number, near(store, "ease", 1), near(store, "similar", 1)) == (3, [9], [9])
        assert store.index.repeats.lifts(store.rows([1, 2]), np.zeros(2, np.int64)).tolist() == [3, 1]
    assert len(held.kinds["ease"].near(store.rows([1])[0])[0]) == 3
    assert store.index.together is held.together


def test_items_that_came_since_have_weights_too(base: Base, store: ItemStore, weights: NewestWeights) -> None:
    store.put_item(film(900, "New"))
    newer_base(base, 2, 900)
    asyncio.run(weights.refresh())
    assert near(store, "similar", 1) == [900]
    store.put_item(film(901, "Newer"))
    assert near(store, "similar", 901) == []


def test_weights_that_are_taken_before_all_items_are_known_are_taken_once_more(
    base: Base, store: ItemStore, weights: NewestWeights
) -> None:
    """As where a process starts from an older base than the newest."""
    newer_base(base, 2, 900)
    store.await_changes()
    asyncio.run(weights.refresh())
    assert weights.number == 2
    store.put_item(film(900, "New"))
    asyncio.run(weights.refresh())
    assert near(store, "similar", 1) == []
    store.has_changes()
    asyncio.run(weights.refresh())
    assert near(store, "similar", 1) == [900]
    store.put_item(film(901, "Newer"))
    asyncio.run(weights.refresh())
    assert weights.number == 2


def test_weights_that_can_not_be_read_once_more_stay_as_they_were(
    base: Base, store: ItemStore, weights: NewestWeights
) -> None:
    folder = newer_base(base, 2, 6)
    store.await_changes()
    asyncio.run(weights.refresh())
    before = near(store, "similar", 1)
    store.has_changes()
    (folder / RELATIONS / EASE / "weights.npy").write_bytes(b"cut")
    asyncio.run(weights.refresh())
    assert list(weights.refused) == [("item weights", 2)]
    weights.refused.clear()
    asyncio.run(weights.refresh())
    assert weights.refused == {}, "it is not looked at again and again"
    assert near(store, "similar", 1) == before


@pytest.mark.parametrize("schema", [SHOP, MOVIES.salted("00" * 16)])
def test_a_base_of_another_meaning_or_of_other_ids_is_passed_over(
    base: Base, store: ItemStore, weights: NewestWeights, schema: Schema
) -> None:
    newer_base(base, 2, 9, schema)
    asyncio.run(weights.refresh())
    assert (weights.number, near(store, "ease", 1), weights.refused) == (1, [5, 6, 3], {})
    newer_base(base, 3, 9)
    asyncio.run(weights.refresh())
    assert weights.number == 3


def test_one_that_is_being_made_is_waited_for_and_a_bad_one_is_refused(
    base: Base, store: ItemStore, weights: NewestWeights
) -> None:
    folder = newer_base(base, 2, 9)
    manifest = (folder / MANIFEST).read_text()
    (folder / MANIFEST).unlink()
    asyncio.run(weights.refresh())
    assert (weights.number, weights.refused) == (1, {})
    (folder / MANIFEST).write_text(manifest)
    (folder / RELATIONS / EASE / "weights.npy").write_bytes(b"cut")
    for _ in range(2):
        asyncio.run(weights.refresh())
        assert (weights.number, near(store, "ease", 1)) == (1, [5, 6, 3])
        assert list(weights.refused) == [(NAME, 2)]
    newer_base(base, 3, 9)
    asyncio.run(weights.refresh())
    assert weights.number == 3
