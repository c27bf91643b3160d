"""Which model versions rank: the newest whose manifest was read, whose golden scores came out right and whose files are those
that the manifest lists.

Versions are asked for by number, so a version that the server has loaded but that we have not checked never ranks for a
user; and a version that fails is named, while the one before it goes on.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.errors import MartletError
from models.registry import (
    Manifest,
    list_models,
    list_versions,
    read_manifest,
    require_current_inputs,
    verify_digests,
    version_folder,
)
from online.ranking.client import ModelClient
from online.ranking.transport import VersionGone

logger = logging.getLogger(__name__)

POLL = 1.0
GOLDEN_WITHIN = 2.0
TOLERANCE = 1e-3


@dataclass(frozen=True)
class LiveModel:
    name: str
    version: int
    manifest: Manifest


class ModelCatalogue:
    """Follows the model base; `get` gives what may rank now."""

    def __init__(self, models: Path, client: ModelClient) -> None:
        self._models = models
        self._client = client
        self._live: dict[str, LiveModel] = {}
        self._before: dict[str, LiveModel] = {}
        self.refused: dict[tuple[str, int], str] = {}
        self._task: asyncio.Task[None] | None = None
        self._looks: dict[str, asyncio.Task[None]] = {}
        self.on_disk: set[str] = set()
        """Models that have a version on disk, whether it ranks or not."""

    async def start(self) -> None:
        await self._look()
        self._task = asyncio.create_task(self._follow(), name="models")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            try:
                await self._look()
            except OSError as error:
                logger.warning("the model base can't be read: %s", error)

    def get(self, name: str) -> LiveModel | None:
        return self._live.get(name)

    async def instead_of(self, model: LiveModel, within: float) -> LiveModel | None:
        """What ranks now that the server has dropped a version before we looked, as in a rollback: what is known to, else what a
        look finds within so many seconds. Who asks while somebody looks waits for the same look."""
        if (other := self._other_than(model)) is not None:
            return other
        look = self._looks.get(model.name)
        if look is None:
            look = self._looks[model.name] = asyncio.create_task(
                self._look_at(model.name), name=f"look at {model.name}"
            )
            look.add_done_callback(lambda _: self._looks.pop(model.name))
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(within):
                await asyncio.shield(look)
        return self._other_than(model)

    def _other_than(self, model: LiveModel) -> LiveModel | None:
        live, earlier = self._live.get(model.name), self._before.get(model.name)
        if live is not None and live.version != model.version:
            return live
        return earlier if earlier is not None and earlier.version < model.version else None

    def all(self) -> list[LiveModel]:
        return sorted(self._live.values(), key=lambda model: model.name)

    async def _look(self) -> None:
        names = await asyncio.to_thread(list_models, self._models)
        self.on_disk = set(names)
        for name in names:
            await self._look_at(name)
        for name in self._live.keys() - self.on_disk:
            await self._require_served(self._live[name])

    async def _look_at(self, name: str) -> None:
        versions = await asyncio.to_thread(list_versions, self._models, name)
        current = self._live.get(name)
        for key in [key for key in self.refused if key[0] == name and key[1] not in versions]:
            del self.refused[key]
        for version in sorted(versions, reverse=True):
            if current is not None and current.version == version:
                return
            problem = await self._check(name, version)
            if problem is None:
                return
            if self.refused.get((name, version)) != problem:
                logger.warning("model %s version %d does not rank: %s", name, version, problem)
                self.refused[name, version] = problem
        if current is not None:  # no version on disk is good
            await self._require_served(current)

    async def _require_served(self, model: LiveModel) -> None:
        """One that ranks though its folder has vanished goes on while the server has it, and no longer: a server that was started
        again since can't have it."""
        inputs, expected = _golden_arrays(model.manifest)
        try:
            await self._client.scores(model.name, model.version, inputs, len(expected), GOLDEN_WITHIN)
        except VersionGone as error:
            logger.warning("model %s version %d ranks no more: %s", model.name, model.version, error)
            self._live.pop(model.name)
            self._before.pop(model.name, None)
        except MartletError:
            pass  # no answer says nothing of it

    async def _check(self, name: str, version: int) -> str | None:
        """Take a version into service; or say why not."""
        try:
            manifest = await asyncio.to_thread(read_manifest, version_folder(self._models, name, version))
            require_current_inputs(manifest)
            inputs, expected = _golden_arrays(manifest)
            scores = await self._client.scores(name, version, inputs, len(expected), GOLDEN_WITHIN)
            await asyncio.to_thread(verify_digests, version_folder(self._models, name, version))
        except VersionGone as error:  # loaded no more: what was wrong with it before still is
            return self.refused.get((name, version), str(error))
        except MartletError as error:
            return str(error)
        if not np.allclose(scores, expected, atol=TOLERANCE):
            return f"golden scores differ by {float(np.abs(scores - expected).max()):.4f}"
        if name in self._live:
            self._before[name] = self._live[name]
        self._live[name] = LiveModel(name, version, manifest)
        self.refused.pop((name, version), None)
        logger.info("model %s version %d ranks", name, version)
        return None


def _golden_arrays(manifest: Manifest) -> tuple[dict[str, npt.NDArray[np.generic]], npt.NDArray[np.float32]]:
    """The golden rows as one batch of inputs, and the [n] scores they must give."""
    inputs = {
        each.name: np.asarray([row.inputs[each.name] for row in manifest.golden], each.dtype)
        for each in manifest.inputs
    }
    return inputs, np.asarray([row.scores[0] for row in manifest.golden], np.float32)
