"""Time of each recall channel per request, `./martlet bench recall`: over the catalogue of a home, with its users as in the
base; of channels by vectors over a large catalogue of vectors alone; and of the signals and a list's raw features over a large
catalogue of items with many facet values, with the memory that these take, and of ranking by a model of so many items. In this
process; the two-tower model's vector of a user is taken as given, since computing it is the model server's cost.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from benchmarks.ann import MAKERS
from benchmarks.catalogue.large_fusion import fusion_session
from benchmarks.harness.bare_api import bare_api
from benchmarks.harness.run_report import Report, spread, work_folder
from benchmarks.harness.wide_catalogue import (
    EACH,
    RawFeaturesOfCandidates,
    SignalsOfCandidates,
    memory_of,
    queries,
    write_catalogue,
)
from features.base.embedding_files import ALS, DEEPWALK, ITEM2VEC, TWOTOWER, FoldIn, gram_of, unit
from features.base.reader import Base
from features.contracts.served import MAX_CANDIDATES
from features.fold.state import UserFeatures
from features.fold.user import thaw_user
from features.inputs.columns import ClickWeights
from features.inputs.moment import Moment
from infra.home.paths import Home
from infra.home.record import HomeRecord
from models.registry import newest
from online.model_client.live_models import LiveModel
from online.query import Query
from online.recall import CHANNELS, CORE_CHANNELS, VECTOR_CHANNELS, Recall
from online.stores.item_store import ItemStore
from online.vectors import EmbeddingKind, VectorIndex, VectorStore
from online.vectors.vector_sets import make_set

WIDTH: Final = 64
LIKED: Final = 50
SEEN: Final = 200
FEW_VALUES: Final = 20
"""Facet values of the catalogue that a large one is set beside."""


class _OnDisk:
    """The models in a home's folder, which need not run."""

    def __init__(self, models: Path) -> None:
        self._models = models

    def get(self, name: str) -> LiveModel | None:
        manifest = newest(self._models, name)
        return None if manifest is None else LiveModel(name, manifest.version, manifest)


class _Rows:
    """A catalogue in which each item's id is its row."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    @property
    def row_of(self) -> "_Rows":
        return self

    def get(self, item_id: int) -> int:
        return item_id


def time_channels(report: Report, group: str, channels: Sequence[Recall], queries: Iterator[Query]) -> None:
    """Report ms of each channel, of wall time and of processor time, which other work on the machine does not lengthen; the first
    query is not counted."""
    clocks = {"ms": time.perf_counter_ns, "CPU ms": time.thread_time_ns}
    took: dict[str, dict[str, list[float]]] = {channel.name: {kind: [] for kind in clocks} for channel in channels}
    for number, query in enumerate(queries):
        for channel in channels:
            began = {kind: clock() for kind, clock in clocks.items()}
            channel.recall(query, MAX_CANDIDATES)
            if number:
                for kind, clock in clocks.items():
                    took[channel.name][kind].append((clock() - began[kind]) / 1e6)
    together = {kind: [sum(each) for each in zip(*(of[kind] for of in took.values()), strict=True)] for kind in clocks}
    for name, of in {**took, **({"all of these": together} if len(channels) > 1 else {})}.items():
        report.add(spread("ms", of["ms"]) | spread("CPU ms", of["CPU ms"]), f"{group}: {name}")


def of_home(home: Home, rounds: int) -> tuple[int, Iterator[Query]]:
    """Returns the number of items, and an iterator over queries of `rounds` + 1 users."""
    base = Base(home.bases / str(HomeRecord(home).base_number))
    store = ItemStore(base)
    models: Any = _OnDisk(home.models)
    embeddings = VectorStore(str(home.embeddings), home.models, models, store)
    asyncio.run(embeddings.refresh())
    rng = np.random.default_rng(7)

    def queries() -> Iterator[Query]:
        for user_id in rng.choice([int(each) for each in base.user_ids], rounds + 1):
            stored = base.stored_user(int(user_id))
            assert stored is not None
            user = thaw_user(stored).features
            allowed = np.ones(len(store), bool)
            allowed[store.rows([item_id for item_id, _ in user.sequence])] = False
            query = Query(
                Moment(user, user.last_ts, store.index, ClickWeights(), allowed),
                store.first_puts.newest(0),
                embeddings.now(),
            )
            tower = query.vectors.get(TWOTOWER)
            if tower is not None:
                query.user_vector = unit(rng.standard_normal((1, tower.index.width), np.float32))[0]
            yield query

    return len(store), queries()


def of_vectors(size: int, rounds: int, report: Report) -> Iterator[Query]:
    """Yields queries over `size` vectors of 64 columns, with one index for all channels: each takes as long as with its own."""
    rng = np.random.default_rng(7)
    vectors, users = MAKERS["tastes"](size, rng)
    process = psutil.Process()
    before, began = process.memory_info().rss, time.monotonic()
    index = VectorIndex(np.arange(size), make_set(vectors))
    seconds, memory = time.monotonic() - began, (process.memory_info().rss - before) / 1e6
    report.note(
        f"an index of {size:,} vectors: built in {seconds:.0f} s, {memory:.0f} MB beside the vectors it was made of"
    )
    fold_in = FoldIn(gram_of(vectors), 10.0, 0.05)
    kinds = {name: EmbeddingKind(name, 1, index, fold_in=fold_in) for name in (ALS, ITEM2VEC, DEEPWALK, TWOTOWER)}
    del vectors
    items: Any = _Rows(size)
    for number in range(rounds + 1):
        sequence = [(int(each), 0) for each in rng.integers(0, size, LIKED)]
        allowed = np.ones(size, bool)
        allowed[rng.integers(0, size, SEEN)] = False
        query = Query(Moment(UserFeatures(1, sequence=sequence), 0, items, ClickWeights(), allowed), vectors=kinds)
        query.user_vector = users[number % len(users)]
        yield query


def of_facets(size: int, values: int, rounds: int, report: Report) -> None:
    """Report the memory of so many items' facets, and the time of what reads them, beside that with 20 values in all."""
    with work_folder() as folder:
        memory = {}
        for number in (0, FEW_VALUES, values):
            write_catalogue(folder / str(number), size, number)
            memory[number] = memory_of(folder / str(number))
        report.note(
            f"{size:,} items in an API process: {memory[0]:,.0f} MB without facets, "
            + ", ".join(
                f"{memory[number] - memory[0]:,.0f} MB more with {EACH} of {number:,} values each"
                for number in (FEW_VALUES, values)
            )
        )
        for number in (FEW_VALUES, values):
            store = ItemStore(Base(folder / str(number)))
            group = f"{size:,} items, {number:,} values"
            time_channels(report, group, (*CORE_CHANNELS, SignalsOfCandidates()), queries(store, rounds + 1))
            time_channels(report, group, (RawFeaturesOfCandidates(store),), queries(store, rounds + 1))
            del store
        _of_process(folder, values, size, rounds, report)


def _of_process(folder: Path, values: int, size: int, rounds: int, report: Report) -> None:
    """Report the memory of a whole API process over that catalogue, and the time of its lists without any service."""
    with bare_api(folder / str(values), folder) as api:
        started = api.wait_ready()
        lists = [api.list_ms(user) for user in range(rounds)]
        report.note(
            f"an API process over {size:,} items of {values:,} values: {api.memory():,.0f} MB, lists {started:.1f} s after its "
            f"start; {rounds} lists without Redis and models: p50 {statistics.median(lists):.1f} ms, worst {max(lists):.1f}"
        )


def of_ranking(size: int, rounds: int, report: Report) -> None:
    """Report the time in which ONNX Runtime ranks the candidates of a list by a Fusion of so many items, untrained: its work is
    the same."""
    with work_folder() as folder:
        session = fusion_session(folder, size)
        rng = np.random.default_rng(7)
        took = [session.rank_ms(rng) for _ in range(rounds + 1)][1:]
    report.add(spread("ms", took), f"{MAX_CANDIDATES} candidates ranked by a Fusion of {size:,} items")


def run(home: Path | None, size: int, values: int, rounds: int, json_file: Path | None) -> None:
    report = Report("recall", {"size": size, "values": values, "rounds": rounds, "candidates": MAX_CANDIDATES})
    if home is not None:
        count, queries = of_home(Home(home), rounds)
        time_channels(report, f"{count:,} items", CHANNELS, queries)
    if size:
        if values:
            of_facets(size, values, rounds, report)
            of_ranking(size, rounds, report)
        else:
            time_channels(report, f"{size:,} vectors", VECTOR_CHANNELS, of_vectors(size, rounds, report))
    for group in report.groups:
        figures = report.medians(group)
        report.note(
            f"{group}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items() if value is not None)
        )
    report.save(json_file)
