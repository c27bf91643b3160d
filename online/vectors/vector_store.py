"""The item vectors that recall uses: of each kind the newest valid version, loaded while the API serves.

als, item2vec and deepwalk are under <embeddings>/<version>/<kind>; a model's own vectors are in its version's folder. A bad
version is listed in `refused`, and the previous one stays in use, also while a version is loaded. What is searched is in memory
that the processes of a machine share (`online.vectors.shared_sets`), or in this process' own.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from features.arrays import BoolArray, IntArray
from features.base.embedding_files import ALS, DEEPWALK, ITEM2VEC, META, TWOTOWER, VECTORS_FILE, FoldIn, gram_of, unit
from features.base.item_weights import rows_of
from features.errors import Broken, MartletError
from online.model_client.live_models import LiveModel, LiveModels
from online.stores.item_store import ItemStore
from online.support.background import end
from online.vectors.files import check_vectors, read_ids, read_meta, read_vectors
from online.vectors.index import NO_ROW, VectorIndex
from online.vectors.shared_sets import Prepared, SharedSets, Source
from online.vectors.vector_sets import EXACT_UP_TO, make_set

logger = logging.getLogger(__name__)

POLL: Final = 1.0
Stamp = tuple[tuple[str, int, int], ...]
EMBEDDINGS: Final = (ALS, ITEM2VEC, DEEPWALK)


@dataclass
class EmbeddingKind:
    """One kind of vectors. version: of the embeddings, or of the model; fold_in: ALS alone; model: computes the users' vectors.

    waiting: (ids, indices of their vectors) of items that the store does not have yet; source: what the vectors were made of.
    """

    name: str
    version: int
    index: VectorIndex
    waiting: tuple[IntArray, IntArray] | None = None
    fold_in: FoldIn | None = None
    model: LiveModel | None = None
    source: Source | None = None


class VectorStore:
    """Polls the folders for new versions. embeddings: None for a home without embeddings; shared: the folder of the vectors that
    the processes of this machine map, None: this one has them in its own memory."""

    def __init__(
        self,
        embeddings: str | None,
        models_folder: Path,
        models: LiveModels,
        store: ItemStore,
        shared: Path | None = None,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        self._embeddings = None if embeddings is None else Path(embeddings)
        self._models_folder, self._models, self._store = models_folder, models, store
        self._exact_up_to, self._shared = exact_up_to, SharedSets(shared, exact_up_to)
        self._kinds: dict[str, EmbeddingKind] = {}
        self._task: asyncio.Task[None] | None = None
        self._refused_stamps: dict[tuple[str, int], Stamp] = {}
        """File stamps of refused versions: they are read again once their files change."""
        self.refused: dict[tuple[str, int], str] = {}

    async def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="vectors")

    async def stop(self) -> None:
        self._shared.stop()
        await end(self._task)

    def now(self) -> dict[str, EmbeddingKind]:
        """The kinds in use, by name."""
        return dict(self._kinds)

    def kinds(self) -> list[str]:
        """Names of the kinds in use, sorted."""
        return sorted(self._kinds)

    def all(self) -> list[EmbeddingKind]:
        """The kinds in use, by name."""
        return [self._kinds[name] for name in self.kinds()]

    def similar(self, name: str, row: int, count: int, allowed: BoolArray) -> list[tuple[int, float]]:
        """(row, cosine) of the allowed [N] items nearest to the item in `row` by cosine, best first; none if it has no vector.
        Raises KeyError for a kind that is not in use."""
        index = self._kinds[name].index
        known, vectors = index.vectors(np.array([row]))
        if not known[0]:
            return []
        rows, _ = index.search(vectors[0], 4 * count, allowed)  # over-fetch: inner products favour long vectors
        cosines = unit(index.vectors(rows)[1]) @ unit(vectors)[0]
        best = np.argsort(-cosines, kind="stable")[:count]
        return list(zip(rows[best].tolist(), cosines[best].tolist(), strict=True))

    async def _follow(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception as error:  # the loaded versions stay in use, and the next poll may succeed
                logger.warning("vectors can't be polled: %s: %s", type(error).__name__, error)
            await asyncio.sleep(POLL)

    async def refresh(self) -> None:
        """Load new versions."""
        for name in EMBEDDINGS:
            await self._newest(name, await asyncio.to_thread(self._versions, name))
        tower = self._models.get(TWOTOWER)
        self._forget(TWOTOWER, [] if tower is None else [tower.version])
        if tower is not None and tower.manifest.towers is not None:
            await self._take(TWOTOWER, tower.version, tower)
        else:
            self._kinds.pop(TWOTOWER, None)  # without the tower nobody computes the users' vectors
        self._assign_waiting()
        used = {name: kind.source for name, kind in self._kinds.items()}
        await asyncio.to_thread(self._remove_stale, used)

    def _versions(self, name: str) -> list[int]:
        """Versions of a kind on disk, newest first; of the two-tower model those of the model."""
        if name == TWOTOWER:
            return _numbers(self._models_folder / TWOTOWER)
        if (folder := self._embeddings) is None:
            return []
        return [number for number in _numbers(folder) if (folder / str(number) / name).is_dir()]

    def _remove_stale(self, used: Mapping[str, Source | None]) -> None:
        """Remove sets by what is on disk now: loading may have taken minutes."""
        for name in (*EMBEDDINGS, TWOTOWER):
            self._shared.remove_stale(name, partial(self._versions, name), used.get(name))

    async def _newest(self, name: str, versions: list[int]) -> None:
        self._forget(name, versions)
        for version in versions:
            if await self._take(name, version, None):
                return

    def _forget(self, name: str, versions: list[int]) -> None:
        """Drop refused versions that are no longer on disk."""
        for key in [key for key in self.refused if key[0] == name and key[1] not in versions]:
            del self.refused[key], self._refused_stamps[key]

    async def _take(self, name: str, version: int, model: LiveModel | None) -> bool:
        """Load a version if it is not in use yet; whether it is in use now. A refused version is read again
        once its files change."""
        current, key = self._kinds.get(name), (name, version)
        if current is not None and current.version == version:
            return True
        folder = self._folder(name, version, model)
        stamp = await asyncio.to_thread(_stamp, folder)
        if self._refused_stamps.get(key) == stamp:
            return False
        try:
            kind = await asyncio.to_thread(self._read, name, version, model, folder, self._store_ids())
        except Exception as error:  # out of memory, no library for this machine, or bad files
            why = str(error) if isinstance(error, MartletError) else f"{type(error).__name__}: {error}"
            logger.warning("vectors %s version %d are not used: %s", name, version, why)
            self.refused[key], self._refused_stamps[key] = why, stamp
            return False
        self._kinds[name] = kind
        self.refused.pop(key, None)
        self._refused_stamps.pop(key, None)
        logger.info("vectors %s version %d: %d items", name, version, len(kind.index))
        return True

    def _store_ids(self) -> IntArray:
        return self._store.columns.ids[: len(self._store)].copy()

    def _folder(self, name: str, version: int, model: LiveModel | None) -> Path:
        if model is not None and model.manifest.towers is not None:
            return self._models_folder / model.name / str(version) / model.manifest.towers.folder
        assert self._embeddings is not None
        return self._embeddings / str(version) / name

    def _read(
        self, name: str, version: int, model: LiveModel | None, folder: Path, store_ids: IntArray
    ) -> EmbeddingKind:
        """Open the vectors and find the rows of their items; runs in a worker thread. Raises Broken."""
        solver = None
        if model is not None and (towers := model.manifest.towers) is not None:
            width, digests = towers.width, _in_folder(towers.folder, model.manifest.digests)
        else:
            meta = read_meta(folder.parent)
            if name not in meta.kinds:
                raise Broken(f"{folder.parent / META} does not name {name}")
            width, digests = meta.width, _in_folder(name, meta.digests)
            if name == ALS:
                solver = meta.kinds[ALS]
        ids = read_ids(folder, digests)
        source = Source(name, version, digests.get(VECTORS_FILE, ""), len(ids), width)

        def prepare() -> Prepared:
            vectors = read_vectors(folder, ids, width, digests)
            if name in (ITEM2VEC, DEEPWALK):
                vectors = unit(vectors)
            return Prepared(make_set(vectors, self._exact_up_to), gram_of(vectors) if source.has_gram else None)

        prepared = self._shared.open(source, prepare)
        check_vectors(folder, digests)  # also where a set was there, whose making has checked what is in them
        rows, present = rows_of(ids, store_ids, np.argsort(store_ids, kind="stable"))
        rows[~present] = NO_ROW
        index = VectorIndex(rows, prepared.vectors)
        waiting = None if present.all() else (ids[~present], np.flatnonzero(~present))
        fold_in = None
        if solver is not None and prepared.gram is not None:
            fold_in = FoldIn(prepared.gram, solver.alpha, solver.regularization)
        return EmbeddingKind(name, version, index, waiting, fold_in, model, source)

    def _assign_waiting(self) -> None:
        """Give items that have entered the store since their vectors, whatever row they are in."""
        row_of = self._store.index.row_of
        for kind in self._kinds.values():
            if kind.waiting is None:
                continue
            ids, indices = kind.waiting
            rows = np.array([row_of.get(item_id, -1) for item_id in ids.tolist()], np.int64)
            present = rows >= 0
            if present.any():
                kind.index.assign(indices[present], rows[present])
                kind.waiting = None if present.all() else (ids[~present], indices[~present])


def _numbers(folder: Path) -> list[int]:
    """The versions in a folder, newest first; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), reverse=True)


def _in_folder(folder: str, digests: Mapping[str, str]) -> dict[str, str]:
    """Digests of the files in a folder, by name."""
    return {
        path.removeprefix(f"{folder}/"): digest for path, digest in digests.items() if path.startswith(f"{folder}/")
    }


def _stamp(folder: Path) -> Stamp:
    """A value that changes when the files of a kind or their metadata do."""
    found = []
    for path in sorted([*folder.parent.glob(META), *folder.glob("*")]):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            found.append((path.name, status.st_mtime_ns, status.st_size))
    return tuple(found)
