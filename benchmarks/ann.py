"""Nearest neighbours: compares libraries with each other and with exact search, `./martlet bench ann`.

Each candidate runs in a process of its own, so that its memory is its own. A library that is not installed is skipped with a
note: the lock has only the one that was chosen. Three kinds of vectors, compared by inner product:

clusters  of length 1 around a thousand centres
tastes    as one would wish factors to be: two thousand centres around twenty genres, some with far more items than others, and
          norms of many sizes; users point where a dozen items of three centres do
factors   without any structure but a spectrum that falls off, and norms of many sizes: the hardest case
"""

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from benchmarks.harness.run_report import Report, percentile
from features.arrays import FloatArray, IntArray
from features.errors import MartletError

WIDTH: Final = 64
QUERIES: Final = 300
NEIGHBOURS: Final = 300
CENTRES: Final = 1_000
ADDED: Final = 200
EXACT_SIZES: Final = (2_000, 20_000, 100_000, 1_000_000)
TIMEOUT: Final = 1_800.0
"""Timeout of one candidate, seconds."""


def clusters(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Returns (vectors [size, WIDTH], queries [QUERIES, WIDTH])."""
    centres = rng.standard_normal((CENTRES, WIDTH)).astype(np.float32)

    def near(count: int) -> FloatArray:
        out = centres[rng.integers(0, CENTRES, count)]
        out += 0.6 * rng.standard_normal((count, WIDTH), dtype=np.float32)
        return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), np.float32)

    return near(size), near(QUERIES)


def tastes(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Returns the same as `clusters`."""
    genres = rng.standard_normal((20, WIDTH)).astype(np.float32)
    centres = genres[rng.integers(0, 20, 2 * CENTRES)]
    centres += 0.8 * rng.standard_normal(centres.shape, dtype=np.float32)

    def near(which: IntArray) -> FloatArray:
        out = centres[which] + 0.8 * rng.standard_normal((len(which), WIDTH), dtype=np.float32)
        return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), np.float32)

    items = near(rng.zipf(1.3, size) % len(centres))
    users = [near(rng.choice(rng.integers(0, len(centres), 3), 12)).sum(axis=0) for _ in range(QUERIES)]
    return items * np.exp(0.5 * rng.standard_normal((size, 1), dtype=np.float32)), np.array(users, np.float32)


def factors(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Returns the same as `clusters`."""
    spectrum = np.arange(1, WIDTH + 1, dtype=np.float32) ** -0.5

    def sampled(count: int) -> FloatArray:
        return rng.standard_normal((count, WIDTH), dtype=np.float32) * spectrum

    norms = np.exp(0.5 * rng.standard_normal(size, dtype=np.float32))
    return sampled(size) * norms[:, None], sampled(QUERIES)


MAKERS: Final[dict[str, Callable[[int, np.random.Generator], tuple[FloatArray, FloatArray]]]] = {
    "clusters": clusters,
    "tastes": tastes,
    "factors": factors,
}


@dataclass(frozen=True)
class Built:
    """A built index. search: (query [WIDTH], k) → ids; add: adds one vector with an id, None if unsupported; settings: by name,
    functions that make its search successively wider."""

    search: Callable[[FloatArray, int], IntArray]
    add: Callable[[int, FloatArray], object] | None
    settings: dict[str, Callable[[], object]]


def _exact(vectors: FloatArray) -> Built:
    def search(query: FloatArray, count: int) -> IntArray:
        scores = vectors @ query
        best = np.argpartition(scores, max(0, len(scores) - count))[-count:]
        return best[np.argsort(-scores[best])]

    def add(row: int, vector: FloatArray) -> None:
        vectors[row % len(vectors)] = vector

    return Built(search, add, {"": lambda: None})


def _ivf(kind: str) -> Callable[[FloatArray], Built]:
    def build(vectors: FloatArray) -> Built:
        import faiss

        faiss.omp_set_num_threads(2)
        lists = int(4 * len(vectors) ** 0.5)
        index = faiss.index_factory(WIDTH, f"IVF{lists},{kind}", faiss.METRIC_INNER_PRODUCT)
        assert isinstance(index, faiss.IndexIVF)
        index.cp.niter = 10
        index.cp.max_points_per_centroid = 50
        index.train(vectors[:: max(1, len(vectors) // (50 * lists))])
        index.add(vectors)
        faiss.omp_set_num_threads(1)

        def probe(count: int) -> Callable[[], object]:
            return lambda: setattr(index, "nprobe", count)

        return Built(
            lambda query, count: index.search(query[None], count)[1][0],
            lambda row, vector: index.add(vector[None]),
            {f"nprobe {count}": probe(count) for count in (64, 256, 512)},
        )

    return build


def _faiss_hnsw(vectors: FloatArray) -> Built:
    import faiss

    faiss.omp_set_num_threads(2)
    index = faiss.IndexHNSWFlat(WIDTH, 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 80
    index.add(vectors)
    faiss.omp_set_num_threads(1)

    def wide(count: int) -> Callable[[], object]:
        return lambda: setattr(index.hnsw, "efSearch", count)

    return Built(
        lambda query, count: index.search(query[None], count)[1][0],
        lambda row, vector: index.add(vector[None]),
        {f"ef {count}": wide(count) for count in (300, 600, 1200)},
    )


def _hnswlib(vectors: FloatArray) -> Built:
    import hnswlib

    index = hnswlib.Index("ip", WIDTH)
    index.init_index(len(vectors) + ADDED, ef_construction=80, M=16)
    index.add_items(vectors, np.arange(len(vectors)), num_threads=2)
    index.set_num_threads(1)

    def wide(count: int) -> Callable[[], object]:
        return lambda: index.set_ef(count)

    return Built(
        lambda query, count: index.knn_query(query, count)[0][0].astype(np.int64),
        lambda row, vector: index.add_items(vector[None], [row]),
        {f"ef {count}": wide(count) for count in (300, 600, 1200)},
    )


def _usearch(dtype: str) -> Callable[[FloatArray], Built]:
    def build(vectors: FloatArray) -> Built:
        from usearch.index import Index

        index = Index(ndim=WIDTH, metric="ip", dtype=dtype, connectivity=16, expansion_add=80)
        index.add(np.arange(len(vectors)), vectors, threads=2)

        def wide(count: int) -> Callable[[], object]:
            return lambda: setattr(index, "expansion_search", count)

        return Built(
            lambda query, count: index.search(query, count, threads=1).keys.astype(np.int64),
            lambda row, vector: index.add(row, vector, threads=1),
            {f"ef {count}": wide(count) for count in (300, 600, 1200)},
        )

    return build


def _voyager(vectors: FloatArray) -> Built:
    import voyager

    index = voyager.Index(voyager.Space.InnerProduct, WIDTH, M=16, ef_construction=80)
    index.add_items(vectors, num_threads=2)
    ef = {"now": 300}

    def wide(count: int) -> Callable[[], object]:
        return lambda: ef.update(now=count)

    return Built(
        lambda query, count: index.query(query, count, num_threads=1, query_ef=ef["now"])[0].astype(np.int64),
        lambda row, vector: index.add_item(vector),
        {f"ef {count}": wide(count) for count in (300, 600, 1200)},
    )


CANDIDATES: Final[dict[str, tuple[str, Callable[[FloatArray], Built]]]] = {
    "numpy, exact": ("numpy", _exact),
    "faiss IVF,Flat": ("faiss", _ivf("Flat")),
    "faiss IVF,SQfp16": ("faiss", _ivf("SQfp16")),
    "faiss HNSW16": ("faiss", _faiss_hnsw),
    "usearch f32": ("usearch", _usearch("f32")),
    "usearch f16": ("usearch", _usearch("f16")),
    "voyager f32": ("voyager", _voyager),
    "hnswlib": ("hnswlib", _hnswlib),
}
"""Name → module that it needs, and function that builds the index."""


def _truth(vectors: FloatArray, queries: FloatArray, folder: Path, name: str) -> IntArray:
    """[QUERIES, WANTED] ids of the exact nearest neighbours, computed once for all candidates."""
    path = folder / f"{name}.npy"
    if not path.exists():
        best = []
        for query in queries:
            scores = vectors @ query
            top = np.argpartition(scores, -NEIGHBOURS)[-NEIGHBOURS:]
            best.append(top[np.argsort(-scores[top])])
        np.save(path, np.array(best))
    return np.asarray(np.load(path), np.int64)


def _ms(began: int) -> float:
    return (time.perf_counter_ns() - began) / 1e6


def measure(name: str, kind: str, size: int, folder: Path) -> list[dict[str, Any]]:
    """Measure one candidate; returns a row for each of its settings."""
    vectors, queries = MAKERS[kind](size, np.random.default_rng(7))
    truth = _truth(vectors, queries, folder, f"{kind}-{size}")
    process, build = psutil.Process(), CANDIDATES[name][1]
    before, began = process.memory_info().rss, time.perf_counter_ns()
    built = build(vectors)
    seconds, memory = _ms(began) / 1000, (process.memory_info().rss - before) / 1e6
    rows = []
    for setting, use in built.settings.items():
        use()
        took, hit_100, hit_300 = [], 0, 0
        for query, best in zip(queries, truth, strict=True):
            began = time.perf_counter_ns()
            found = built.search(query, NEIGHBOURS)
            took.append(_ms(began))
            hit_100 += len(np.intersect1d(found[:100], best[:100]))
            hit_300 += len(np.intersect1d(found, best))
        rows.append(
            {
                "setting": setting,
                "build, s": seconds,
                "memory beside the vectors, MB": memory,
                "recall@100": hit_100 / 100 / QUERIES,
                "recall@300": hit_300 / NEIGHBOURS / QUERIES,
                "p50, ms": percentile(took, 0.5),
                "p99, ms": percentile(took, 0.99),
            }
        )
    if built.add is not None:
        began = time.perf_counter_ns()
        for number in range(ADDED):
            built.add(size + number, vectors[number])
        for row in rows:
            row["adding one, ms"] = _ms(began) / ADDED
    return rows


def _apart(name: str, kind: str, size: int, folder: Path) -> list[dict[str, Any]]:
    argv = [sys.executable, "-m", "benchmarks.ann", name, kind, str(size), str(folder)]
    env = os.environ | {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, env=env)
    if done.returncode:
        raise MartletError(f"{name}: {done.stderr.strip().splitlines()[-1:]}")
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def run(size: int, names: list[str], kinds: list[str], json_file: Path | None, folder: Path) -> None:
    """Run all candidates and print their figures. folder: for files that they share."""
    report = Report("ann", {"size": size, "width": WIDTH, "wanted": NEIGHBOURS, "queries": QUERIES})
    for kind in kinds:
        for name in names:
            if importlib.util.find_spec(CANDIDATES[name][0]) is None:
                report.note(f"{name}: {CANDIDATES[name][0]} is not installed, skipped")
                continue
            sizes = EXACT_SIZES if name == "numpy, exact" else (size,)
            for each in (some for some in sizes if some <= size):
                for row in _apart(name, kind, each, folder):
                    setting = row.pop("setting")
                    report.add(row, f"{kind}, {each:,}: {name} {setting}".strip())
    for group in report.groups:
        figures = report.medians(group)
        report.note(f"{group}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    report.save(json_file)


if __name__ == "__main__":
    _, _name, _kind, _size, _folder = sys.argv
    print(json.dumps(measure(_name, _kind, int(_size), Path(_folder))))
