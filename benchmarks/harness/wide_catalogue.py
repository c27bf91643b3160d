"""A catalogue of many items with facet values out of many: a base of it, the memory of an API's store, and requests over it."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from benchmarks.harness.base_writer import write_small_base
from features.arrays import IntArray
from features.base.reader import Base
from features.contracts.served import MAX_CANDIDATES
from features.fold.decay import HALF_LIVES, ONE
from features.fold.state import TASTES, UserFeatures
from features.inputs.columns import ClickWeights
from features.inputs.facet_vocabulary import vocabulary_of
from features.inputs.model_inputs import INPUT_NAMES
from features.inputs.moment import Moment
from features.schema.tables import preset_schema
from features.units import DAY_MS
from online.query import Query
from online.ranking.features import RequestFeatures
from online.stores.item_store import ItemStore

EACH: Final = 3
"""Facet values of an item, not all different."""
AT: Final = 20_000 * DAY_MS
SEED: Final = 7


def write_catalogue(folder: Path, size: int, values: int) -> None:
    """Write a base of `size` items with EACH of so many facet values, none where there are none; without users and events."""
    rng = np.random.default_rng(SEED)
    names = [f"value {number}" for number in range(values)]
    drawn = rng.integers(0, max(values, 1), (size, EACH if values else 0)).tolist()
    films = preset_schema().items
    items = (
        films.item(number, f"Item {number}", films.check({"genres": [names[value] for value in of]}))
        for number, of in enumerate(drawn)
    )
    write_small_base(folder, preset_schema(), {"cut": AT}, items)


def memory_of(folder: Path) -> float:
    """Returns the memory in MB that a process of its own takes for a base's items, as the API holds them."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_memory_of, folder).result()


def _memory_of(folder: Path) -> float:
    process = psutil.Process()
    before = process.memory_info().rss
    store = ItemStore(Base(folder))
    assert len(store)
    return (process.memory_info().rss - before) / 1e6


def queries(store: ItemStore, rounds: int) -> Iterator[Query]:
    """Yields queries of users who have tastes for as many values as a user keeps, and have liked 20 items."""
    rng = np.random.default_rng(SEED)
    epochs = [AT // half_life for half_life in HALF_LIVES]
    names, allowed = store.columns.facets.names, np.ones(len(store), bool)
    for _ in range(rounds):
        tasted = rng.choice(len(names), min(TASTES, len(names)), replace=False).tolist()
        tastes = {names[number]: [AT, 0, 0, 0, ONE, ONE, ONE, 0, 0, 0] for number in tasted}
        sequence = [(int(each), AT) for each in rng.integers(0, len(store), 20)]
        user = UserFeatures(1, last_ts=AT, epochs=epochs, sequence=sequence, tastes=tastes)
        yield Query(Moment(user, AT, store.index, ClickWeights(), allowed))


class RawFeaturesOfCandidates:
    """As a channel, to be timed as one: the features of MAX_CANDIDATES items that any model could take, signals left out (they
    are channels themselves)."""

    name = f"features of {MAX_CANDIDATES} candidates"
    default_limit = MAX_CANDIDATES

    def __init__(self, store: ItemStore) -> None:
        self._vocabulary = vocabulary_of(store.catalogue)
        self._rows = np.random.default_rng(SEED).integers(0, len(store), MAX_CANDIDATES)

    def recall(self, query: Query, limit: int) -> IntArray:
        """Make them, once; the rows that they are of."""
        RequestFeatures(query, self._rows, set(INPUT_NAMES) - {"signals"}).under(self._vocabulary)
        return self._rows
