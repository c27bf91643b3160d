"""What several API processes of a machine pay for item vectors, `./martlet bench vectors`: each with its own in memory, then with
one set that all map. Two processes are started at once, and where they share a third one after them.

Vectors are those of `bench ann`; nine in ten items have one, so that rows of the store and vectors are numbered apart. Each
process runs the API's own store of vectors over a catalogue of ids alone.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.ann import MAKERS, WIDTH
from benchmarks.harness.run_report import Figure, Report, percentile, work_folder
from features.base.embedding_files import ALS, IDS_FILE, META, VECTORS_FILE, EmbeddingsMeta, KindMeta
from features.errors import MartletError
from features.schema.tables import preset_schema
from infra.services.environment import python_env
from infra.system.repository import REPO
from models.registry.manifest import file_digest
from online.recall.compile_recall import compile_recall
from online.vectors import VectorStore

LIMIT, SEEN = 500, 200
QUERIES_FILE: Final = "queries.npy"
ALONE, TOGETHER = "each in its own memory", "mapped by all"


def write_vectors(folder: Path, size: int, kind: str) -> None:
    """Write a version of embeddings of `size` items, ids 0 to `size` - 1 but each tenth, and queries beside it."""
    vectors, queries = MAKERS[kind](size, np.random.default_rng(7))
    having = np.arange(size) % 10 != 0
    made = folder / "embeddings" / "1" / ALS
    made.mkdir(parents=True)
    np.save(made / IDS_FILE, np.flatnonzero(having))
    np.save(made / VECTORS_FILE, vectors[having])
    np.save(folder / QUERIES_FILE, queries)
    digests = {f"{ALS}/{name}": file_digest(made / name) for name in (IDS_FILE, VECTORS_FILE)}
    of_kind = KindMeta(int(having.sum()), alpha=10.0, regularization=0.05)
    meta = EmbeddingsMeta("drawn", 1, 0, WIDTH, 7, {ALS: of_kind}, digests)
    (made.parent / META).write_bytes(msgspec.json.encode(meta))


def memory_mb() -> dict[str, float]:
    """This process' memory in MB, by Linux' count: private, and its share of what it has in common with others (PSS)."""
    found = {"private": 0.0, "pss": 0.0}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, size = line.split()[:2]
        if name.startswith("Private_"):
            found["private"] += int(size) * 1024 / 1e6
        elif name == "Pss:":
            found["pss"] += int(size) * 1024 / 1e6
    return found


def child(folder: Path, size: int, shared: str) -> None:
    """Answers one request a line of standard input: `load`, `memory`, `search`. What is in any API process is not counted, nor is
    faiss itself."""
    import faiss  # noqa: F401

    compile_recall(preset_schema())
    ids = np.arange(size)
    store: Any = _Catalogue(ids)
    models: Any = SimpleNamespace(get=lambda name: None)
    given: dict[str, Any] = {"shared": Path(shared)} if shared else {}
    vectors = VectorStore(str(folder / "embeddings"), folder / "models", models, store, **given)
    before = memory_mb()
    for line in sys.stdin:
        what = line.strip()
        began = time.monotonic()
        if what == "load":
            asyncio.run(vectors.refresh())
            answer: dict[str, Any] = {"seconds": time.monotonic() - began, "refused": list(vectors.refused.values())}
        elif what == "memory":
            answer = {name: value - before[name] for name, value in memory_mb().items()}
        else:
            answer = _searched(vectors, np.load(folder / QUERIES_FILE), size)
        print(json.dumps(answer), flush=True)


class _Catalogue:
    """A store in which each item's id is its row."""

    def __init__(self, ids: Any) -> None:
        self.columns = SimpleNamespace(ids=ids)
        self.index = SimpleNamespace(row_of={})

    def __len__(self) -> int:
        return len(self.columns.ids)


def _searched(vectors: VectorStore, queries: Any, size: int) -> dict[str, Any]:
    index, rng = vectors.now()[ALS].index, np.random.default_rng(3)
    took: list[float] = []
    cpu: list[float] = []
    found = hashlib.sha256()
    for number in range(2 * len(queries)):
        allowed = np.ones(size, bool)
        allowed[rng.integers(0, size, SEEN)] = False
        began, cpu_began = time.perf_counter_ns(), time.thread_time_ns()
        rows, scores = index.search(queries[number % len(queries)], LIMIT, allowed)
        took.append((time.perf_counter_ns() - began) / 1e6)
        cpu.append((time.thread_time_ns() - cpu_began) / 1e6)
        found.update(rows.tobytes() + scores.tobytes())
    half = len(queries)  # those before have touched the pages
    return {
        "p50, ms": percentile(took[half:], 0.5),
        "p99, ms": percentile(took[half:], 0.99),
        "CPU p50, ms": percentile(cpu[half:], 0.5),
        "CPU p99, ms": percentile(cpu[half:], 0.99),
        "found": found.hexdigest()[:12],
    }


class _Child:
    def __init__(self, folder: Path, size: int, shared: str) -> None:
        argv = [sys.executable, "-m", "benchmarks.shared_vectors", str(folder), str(size), shared]
        env = python_env({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # as those of an API process
        self.process = subprocess.Popen(
            argv, cwd=REPO, env=os.environ | env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send(self, what: str) -> None:
        assert self.process.stdin is not None
        print(what, file=self.process.stdin, flush=True)

    def receive(self) -> dict[str, Any]:
        """Raises MartletError where the process has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise MartletError("a process of the benchmark has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def answer(self, what: str) -> dict[str, Any]:
        self.send(what)
        return self.receive()


@contextmanager
def _children(folder: Path, size: int, shared: str, count: int) -> Iterator[list[_Child]]:
    started = [_Child(folder, size, shared) for _ in range(count)]
    try:
        for each in started:
            each.answer("memory")  # all have started
        yield started
    finally:
        for each in started:
            each.process.kill()
            each.process.wait(30)


def _measure(report: Report, group: str, folder: Path, size: int, shared: str) -> str:
    """Report of each process, and return what all have found."""
    with _children(folder, size, shared, 3 if shared else 2) as processes:
        first = processes[:2]
        for each in first:
            each.send("load")
        loaded = [each.receive() for each in first]
        loaded += [each.answer("load") for each in processes[2:]]
        searched = [each.answer("search") for each in processes]
        for process, load, search in zip(processes, loaded, searched, strict=True):
            if load["refused"]:
                raise MartletError(load["refused"][0])
            memory = process.answer("memory")
            figures: dict[str, Figure] = {
                "ready after, s": load["seconds"],
                "private, MB": memory["private"],
                "PSS, MB": memory["pss"],
            }
            report.add(figures | {name: value for name, value in search.items() if name != "found"}, group)
    return ", ".join(sorted({each["found"] for each in searched}))


def run(size: int, kind: str, json_file: Path | None) -> None:
    report = Report("vectors", {"size": size, "width": WIDTH, "kind": kind, "wanted": LIMIT, "seen": SEEN})
    with work_folder() as folder:
        write_vectors(folder, size, kind)
        found = {
            group: _measure(report, group, folder, size, shared)
            for group, shared in ((ALONE, ""), (TOGETHER, str(folder / "shared")))
        }
        report.note(f"digests of all that was found: {found}")
        on_disk = sum(each.stat().st_size for each in (folder / "shared").rglob("*") if each.is_file()) / 1e6
        report.note(f"the folder that all map: {on_disk:.0f} MB")
    for group in report.groups:
        for number, figures in enumerate(report.groups[group], start=1):
            parts = (f"{key} {value:.3g}" for key, value in figures.items() if isinstance(value, (float, int)))
            report.note(f"{group}, process {number}: " + ", ".join(parts))
    report.save(json_file)


if __name__ == "__main__":
    _, _folder, _size, _shared = sys.argv
    child(Path(_folder), int(_size), _shared)
