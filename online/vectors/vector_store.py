"""The item vectors that recall uses: of each kind the newest valid version, loaded while the API serves.

als, item2vec and deepwalk are under <embeddings>/<version>/<kind>; a model's own vectors are in its version's folder. A bad
version is listed in `refused`, and the previous one stays in use. While a version is loaded, both are in memory.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.base.embedding_files import ALS, DEEPWALK, ITEM2VEC, META, TWOTOWER, FoldIn, unit
from features.base.item_weights import rows_of
from features.errors import Broken, MartletError
from online.model_client.live_models import LiveModel, LiveModels
from online.stores.item_store import ItemStore
from online.support.background import end
from online.vectors.files import read_meta, read_vectors
from online.vectors.index import EXACT_UP_TO, VectorIndex

logger = logging.getLogger(__name__)

POLL: Final = 1.0
Stamp = tuple[tuple[str, int, int], ...]
EMBEDDINGS: Final = (ALS, ITEM2VEC, DEEPWALK)


@dataclass
class EmbeddingKind:
    """One kind of vectors. version: of the embeddings, or of the model; fold_in: ALS alone; model: computes the users' vectors.

    waiting: (ids, vectors) of items that the store does not have yet.
    """

    name: str
    version: int
    index: VectorIndex
    waiting: tuple[IntArray, FloatArray] | None = None
    fold_in: FoldIn | None = None
    model: LiveModel | None = None


class VectorStore:
    """Polls the folders for new versions. embeddings: None for a home without embeddings."""

    def __init__(
        self,
        embeddings: str | None,
        models_folder: Path,
        models: LiveModels,
        store: ItemStore,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        self._embeddings = None if embeddings is None else Path(embeddings)
        self._models_folder, self._models, self._store = models_folder, models, store
        self._exact_up_to = exact_up_to
        self._kinds: dict[str, EmbeddingKind] = {}
        self._task: asyncio.Task[None] | None = None
        self._refused_stamps: dict[tuple[str, int], Stamp] = {}
        """File stamps of refused versions: they are read again once their files change."""
        self.refused: dict[tuple[str, int], str] = {}

    async def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="vectors")

    async def stop(self) -> None:
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
        versions = await asyncio.to_thread(self._versions)
        for name in EMBEDDINGS:
            await self._newest(name, versions.get(name, []))
        tower = self._models.get(TWOTOWER)
        self._forget(TWOTOWER, [] if tower is None else [tower.version])
        if tower is not None and tower.manifest.towers is not None:
            await self._take(TWOTOWER, tower.version, tower)
        else:
            self._kinds.pop(TWOTOWER, None)  # without the tower nobody computes the users' vectors
        self._add_waiting()

    def _versions(self) -> dict[str, list[int]]:
        """Versions on disk by kind, newest first."""
        if self._embeddings is None or not self._embeddings.is_dir():
            return {}
        numbers = sorted((int(path.name) for path in self._embeddings.iterdir() if path.name.isdecimal()), reverse=True)
        return {name: [n for n in numbers if (self._embeddings / str(n) / name).is_dir()] for name in EMBEDDINGS}

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
            ids = self._store.columns.ids[: len(self._store)].copy()
            kind = await asyncio.to_thread(self._read, name, version, model, folder, ids)
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

    def _folder(self, name: str, version: int, model: LiveModel | None) -> Path:
        if model is not None and model.manifest.towers is not None:
            return self._models_folder / model.name / str(version) / model.manifest.towers.folder
        assert self._embeddings is not None
        return self._embeddings / str(version) / name

    def _read(
        self, name: str, version: int, model: LiveModel | None, folder: Path, store_ids: IntArray
    ) -> EmbeddingKind:
        """Read the vectors and build the index; runs in a worker thread. Raises Broken."""
        fold_in = None
        if model is not None and (towers := model.manifest.towers) is not None:
            ids, vectors = read_vectors(folder, towers.width, _in_folder(towers.folder, model.manifest.digests))
        else:
            meta = read_meta(folder.parent)
            if name not in meta.kinds:
                raise Broken(f"{folder.parent / META} does not name {name}")
            ids, vectors = read_vectors(folder, meta.width, _in_folder(name, meta.digests))
            if name == ALS:
                fold_in = FoldIn(vectors, meta.kinds[ALS].alpha, meta.kinds[ALS].regularization)
            else:
                vectors = unit(vectors)
        rows, present = rows_of(ids, store_ids, np.argsort(store_ids, kind="stable"))
        index = VectorIndex(rows[present], vectors[present], self._exact_up_to)
        waiting = None if present.all() else (ids[~present], vectors[~present])
        return EmbeddingKind(name, version, index, waiting, fold_in, model)

    def _add_waiting(self) -> None:
        """Add the vectors of items that have entered the store since, also of deleted ones: an index takes rows as they rise, and
        a deleted item may come back into its row."""
        row_of = self._store.index.row_of
        for kind in self._kinds.values():
            if kind.waiting is None:
                continue
            ids, vectors = kind.waiting
            rows = np.array([row_of.get(item_id, -1) for item_id in ids.tolist()], np.int64)
            present = rows >= 0
            if present.any():
                kind.index.add(rows[present], vectors[present])
                kind.waiting = None if present.all() else (ids[~present], vectors[~present])


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
