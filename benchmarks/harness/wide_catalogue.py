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
from features.base.item_weights import Relations
from features.base.past_sessions import PastSessions
from features.base.reader import Base
from features.contracts.served import MAX_CANDIDATES
from features.fold.co_visits import Neighbours
from features.fold.decay import HALF_LIVES, ONE
from features.fold.state import TASTES, UserFeatures
from features.inputs.columns import ClickWeights
from features.inputs.facet_vocabulary import vocabulary_of
from features.inputs.input_maps import INPUT_NAMES
from features.inputs.moment import ItemIndex, Moment, Together
from features.inputs.signals import candidates, signal_matrix
from features.schema.tables import preset_schema
from features.types import CLICK
from features.units import DAY_MS
from online.query import Query
from online.ranking.features import RequestFeatures
from online.stores.item_store import ItemStore

EACH: Final = 3
"""Facet values of an item, not all different."""
AT: Final = 20_000 * DAY_MS
SEED: Final = 7
NEAR: Final = 20
LIVELY: Final = 5_000
"""Items that users of the benchmark have liked: those that are in use just now."""


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


def busy_index(store: ItemStore) -> ItemIndex:
    """The store's index as of a catalogue in use: likes by a power law within 30 days, NEAR neighbours an item by each kind,
    co-visits of LIVELY items, sessions of which half the items are of these."""
    rng, size, columns = np.random.default_rng(SEED), len(store), store.columns
    columns.popularities[:size] = np.minimum(rng.zipf(1.5, size), 10_000)[:, None]
    columns.newest_day[:size] = AT // DAY_MS - rng.integers(0, 30, size)
    columns.years[:size] = rng.integers(1950, 2025, size)
    ids, lively = columns.ids[:size], min(LIVELY, size)

    def relations() -> Relations:
        others, weights = ids[rng.integers(0, size, size * NEAR)], rng.random(size * NEAR, np.float32)
        return Relations(ids, ids, np.arange(size + 1) * NEAR, others, weights)

    together, row_of = Together(size), {int(item_id): row for row, item_id in enumerate(ids)}
    for row in range(lively):
        top = [(int(ids[other]), int(weight)) for other, weight in rng.integers(1, lively, (NEAR, 2))]
        together.put(row, Neighbours(int(ids[row]), 1, AT, top), row_of)
    count = max(1, size // 5)
    members = np.where(
        rng.random(5 * count) < 0.5, rng.integers(0, lively, 5 * count), rng.integers(0, size, 5 * count)
    )
    ends = np.sort(rng.integers(0, AT, count))
    sessions = PastSessions(ids, ids, ends, np.arange(count + 1) * 5, members.astype(np.int64))
    return ItemIndex(columns, store.index.row_of, relations(), relations(), sessions, together, store.index.schema)


def queries(store: ItemStore, rounds: int) -> Iterator[Query]:
    """Yields queries of users who have tastes for as many values as a user keeps, have liked 50 items, clicked five just now, and
    have seen 200."""
    rng, index = np.random.default_rng(SEED), busy_index(store)
    epochs = [AT // half_life for half_life in HALF_LIVES]
    names, lively = store.columns.facets.names, min(LIVELY, len(store))
    for _ in range(rounds):
        tasted = rng.choice(len(names), min(TASTES, len(names)), replace=False).tolist()
        tastes = {names[number]: [AT, 0, 0, 0, ONE, ONE, ONE, 0, 0, 0] for number in tasted}
        sequence = [(int(each), AT) for each in store.columns.ids[rng.integers(0, lively, 50)]]
        recent = [(item_id, AT, CLICK, 0) for item_id, _ in sequence[-5:]]
        user = UserFeatures(1, last_ts=AT, epochs=epochs, sequence=sequence, recent=recent, tastes=tastes)
        allowed = store.showable(AT)
        seen = np.unique(rng.integers(0, len(store), 200))
        allowed[seen] = False
        yield Query(Moment(user, AT, index, ClickWeights(), allowed, seen))


class SignalsOfCandidates:
    """As a channel, to be timed as one: the best of what the channels before it found, and what rankers read of them."""

    name = f"merge, signals of {MAX_CANDIDATES} candidates"
    default_limit = MAX_CANDIDATES

    def recall(self, query: Query, limit: int) -> IntArray:
        """Merge, and make the matrix; the merged rows."""
        rows, _ = candidates(query.signals.orders, limit)
        signal_matrix(query.signals, rows)
        return rows


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
