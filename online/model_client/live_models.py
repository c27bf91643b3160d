"""The model versions that rank: of each model the newest with a readable manifest, trained under the schema of the base, with
matching golden scores and file digests; or the one that the registry's labels call stable, if it has all that. Beside it, the
versions of its other labels are held ready to be compared with it.

Calls name the version, so a version that the server has loaded but that was not checked here never ranks for a user. A
version that fails the check is listed in `refused`, and the previous one stays in use; it is checked again once its files have
changed, after a while where it was the server that refused it, and at the next poll where it had no answer.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Set
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final

import numpy as np

from features.errors import Broken, MartletError, Unavailable
from models.registry import (
    CANDIDATE,
    LAST_GOOD,
    Labels,
    Manifest,
    folder_stamp,
    list_models,
    list_versions,
    read_labels,
    read_manifest,
    require_current_inputs,
    require_schema,
    verify_digests,
    version_folder,
)
from online.model_client.client import ModelClient
from online.model_client.golden import TOLERANCE, golden_arrays
from online.model_client.in_process import LocalSessions
from online.model_client.transport import Overloaded, Refused, VersionWithdrawn
from online.support import metrics
from online.support.background import end

logger = logging.getLogger(__name__)

POLL = 1.0
GOLDEN_TIMEOUT = 2.0
START_SECONDS: Final = 5.0
"""Seconds that the start waits for the first poll, which takes GOLDEN_TIMEOUT for each version where the server hangs."""
SERVER_REFUSED_S = 30.0
"""Seconds until a version is tried again whose files stay the same, but that the server could not compute, or computed
otherwise: it may have been started anew."""


@dataclass(frozen=True)
class LiveModel:
    """A model version in use."""

    name: str
    version: int
    manifest: Manifest

    @property
    def with_version(self) -> str:
        """Its name and number, where two versions of one model meet in a list."""
        return f"{self.name}:{self.version}"


COMPARED: Final = (CANDIDATE, LAST_GOOD)
"""Labels of the versions that are held ready beside the one that ranks."""


class LiveModels:
    """Polls the model base; `get` returns the version that ranks now.

    schema      the digest of the base's
    in_process  whether versions are to rank in this process, as far as they can: asked at each poll
    sessions    those of the versions in use, and of those before them
    """

    def __init__(
        self, models: Path, client: ModelClient, schema: str, in_process: Callable[[], bool] = lambda: False
    ) -> None:
        self._models = models
        self._client = client
        self._schema = schema
        self.in_process = in_process
        self.sessions = LocalSessions(models)
        self._live: dict[str, LiveModel] = {}
        self._previous: dict[str, LiveModel] = {}
        self._labelled: dict[tuple[str, str], LiveModel] = {}
        self._labels: dict[str, Labels] = {}
        self.refused: dict[tuple[str, int], str] = {}
        self._refused_files: dict[tuple[str, int], tuple[str, float]] = {}
        """Stamps of the files of versions that need no further check until these change, or until a time (`time.monotonic`)."""
        self._task: asyncio.Task[None] | None = None
        self._polls: dict[str, asyncio.Task[None]] = {}
        self.on_disk: set[str] = set()
        """Names of the models with a version on disk, whether it ranks or not."""

    async def start(self, timeout: float = START_SECONDS) -> None:
        """Poll, and follow the model base from then on. What the first poll has not found in `timeout` seconds it finds in the
        background. Raises OSError for a model base that can't be read."""
        first = asyncio.create_task(self.poll(), name="first poll of the models")
        done, _ = await asyncio.wait([first], timeout=timeout)
        for poll in done:
            poll.result()
        self._task = asyncio.create_task(self._follow(first), name="models")

    async def stop(self) -> None:
        await end(self._task, *self._polls.values())

    async def _follow(self, poll: Awaitable[None]) -> None:
        """Poll again and again, after this first poll."""
        while True:
            try:
                await poll
            except OSError as error:
                logger.warning("the model base can't be read: %s", error)
            except Exception:
                logger.exception("the model base can't be followed")
            await asyncio.sleep(POLL)
            poll = self.poll()

    def get(self, name: str) -> LiveModel | None:
        return self._live.get(name)

    def labelled(self, name: str, label: str) -> LiveModel | None:
        """The version of one of the labels in COMPARED, unless it is the one that ranks, or not ready."""
        found, live = self._labelled.get((name, label)), self._live.get(name)
        return None if found is None or live is None or found.version == live.version else found

    def labels(self, name: str) -> Labels | None:
        """The model's labels at the newest poll; None where it has none."""
        return self._labels.get(name)

    async def replacement_for(self, name: str, withdrawn: Set[int], timeout: float) -> LiveModel | None:
        """Another version for a model whose `withdrawn` ones the server has just dropped, as in a rollback: a known one, else
        one that a poll finds within `timeout` seconds, else None."""
        if (other := self._other_than(name, withdrawn)) is not None:
            return other
        with contextlib.suppress(Exception):  # the background poll logs the error
            async with asyncio.timeout(timeout):
                await asyncio.shield(self._poll_model(name))
        return self._other_than(name, withdrawn)

    def _other_than(self, name: str, withdrawn: Set[int]) -> LiveModel | None:
        known = (self._live.get(name), self._previous.get(name))
        return next((each for each in known if each is not None and each.version not in withdrawn), None)

    def all_labelled(self) -> list[LiveModel]:
        """The versions that are held ready beside those that rank."""
        return sorted(self._labelled.values(), key=lambda model: (model.name, model.version))

    def all(self) -> list[LiveModel]:
        return sorted(self._live.values(), key=lambda model: model.name)

    async def poll(self) -> None:
        names = await asyncio.to_thread(list_models, self._models)
        self.on_disk = set(names)
        for name in {*names, *self._live}:
            await self._poll_model(name)
        await self._keep_sessions()

    async def _keep_sessions(self) -> None:
        """Bring the sessions in line with the versions in use and with what `in_process` says."""
        held = (*self._live.values(), *self._previous.values(), *self._labelled.values()) if self.in_process() else ()
        await self.sessions.keep([each.manifest for each in held])
        metrics.RANKS_IN_PROCESS.clear()
        for live in self.all():
            metrics.RANKS_IN_PROCESS.labels(live.name).set(self.sessions.holds(live.name, live.version))

    def _poll_model(self, name: str) -> asyncio.Task[None]:
        """The running poll of a model, started if there is none: concurrent callers share one poll."""
        poll = self._polls.get(name)
        if poll is None:
            poll = self._polls[name] = asyncio.create_task(self._check_versions(name), name=f"poll {name}")
            poll.add_done_callback(lambda done: self._on_polled(name, done))
        return poll

    def _on_polled(self, name: str, poll: asyncio.Task[None]) -> None:
        self._polls.pop(name)
        if not poll.cancelled():
            poll.exception()  # mark it retrieved: waiters get it, and the next poll comes soon

    async def _check_versions(self, name: str) -> None:
        versions = await asyncio.to_thread(list_versions, self._models, name)
        current = self._live.get(name)
        for key in [key for key in self.refused if key[0] == name and key[1] not in versions]:
            del self.refused[key]
            self._refused_files.pop(key, None)
        labels = await self._read_labels(name)
        for version in labels.order(versions):
            if current is not None and current.version == version:
                break
            if (model := await self._checked(name, version)) is not None:
                self._take(model)
                break
        else:
            if current is not None:  # no version on disk is good
                await self._require_served(current)
        await self._hold_labelled(name, labels.named(), versions)

    async def _read_labels(self, name: str) -> Labels:
        """The model's labels; those of before where they can't be read."""
        try:
            labels = await asyncio.to_thread(read_labels, self._models, name)
        except Broken as error:
            logger.warning("%s", error)
            return self._labels.get(name, Labels())
        if labels is None:
            self._labels.pop(name, None)
            return Labels()
        self._labels[name] = labels
        return labels

    async def _hold_labelled(self, name: str, named: Mapping[str, int], versions: Collection[int]) -> None:
        """Bring the versions beside the one that ranks in line with the labels, as far as they are on disk."""
        for label in COMPARED:
            version, held = named.get(label), self._labelled.get((name, label))
            if version not in versions:
                version = None
            if held is not None and held.version == version:
                continue
            model = None if version is None else await self._checked(name, version)
            if model is None:
                self._labelled.pop((name, label), None)
            else:
                self._labelled[name, label] = model

    async def _checked(self, name: str, version: int) -> LiveModel | None:
        """A version that passes the check; None of one that is refused, which is then listed in `refused`."""
        model, problem = await self._check(name, version)
        if problem is not None and self.refused.get((name, version)) != problem:
            logger.warning("model %s version %d does not rank: %s", name, version, problem)
            self.refused[name, version] = problem
        return model

    async def _require_served(self, model: LiveModel) -> None:
        """Drop a model without a good version on disk once the server does not have it either, as after a restart."""
        inputs, expected = golden_arrays(model.manifest)
        try:
            await self._client.check(model.name, model.version, inputs, len(expected), GOLDEN_TIMEOUT)
        except VersionWithdrawn as error:
            logger.warning("model %s version %d ranks no more: %s", model.name, model.version, error)
            self._live.pop(model.name)
            self._previous.pop(model.name, None)
        except MartletError:
            pass  # no response is no evidence against it

    def _take(self, model: LiveModel) -> None:
        """Let a version rank from now on."""
        if model.name in self._live:
            self._previous[model.name] = self._live[model.name]
        self._live[model.name] = model
        logger.info("model %s version %d ranks", model.name, model.version)

    async def _check(self, name: str, version: int) -> tuple[LiveModel | None, str | None]:
        """(the version, None), or (None, the reason why it is refused)."""
        key = (name, version)
        try:
            stamp = await asyncio.to_thread(folder_stamp, version_folder(self._models, name, version))
        except (MartletError, OSError) as error:  # withdrawn this moment
            return None, str(error)
        known, until = self._refused_files.pop(key, ("", 0.0))
        if known == stamp and time.monotonic() < until:
            self._refused_files[key] = known, until
            return None, self.refused[key]
        found, rest = await self._try(name, version)
        if isinstance(found, LiveModel):
            self.refused.pop(key, None)
            return found, None
        if rest:
            self._refused_files[key] = stamp, time.monotonic() + rest
        return None, found

    async def _try(self, name: str, version: int) -> tuple[LiveModel | str, float]:
        """(the version, 0), or (the reason why it is refused, seconds for which that holds if its files stay)."""
        try:
            manifest = await asyncio.to_thread(read_manifest, version_folder(self._models, name, version))
            require_current_inputs(manifest)
            require_schema(manifest, self._schema)
            inputs, expected = golden_arrays(manifest)
            scores = await self._client.check(name, version, inputs, len(expected), GOLDEN_TIMEOUT)
            await asyncio.to_thread(verify_digests, version_folder(self._models, name, version))
        except VersionWithdrawn as error:  # not loaded yet, or no longer: keep the earlier reason
            return self.refused.get((name, version), str(error)), 0.0
        except Unavailable as error:
            is_final = isinstance(error, Refused) and not isinstance(error, Overloaded)
            return str(error), SERVER_REFUSED_S if is_final else 0.0
        except MartletError as error:
            return str(error), inf
        except OSError as error:  # too many open files, among others: it says nothing of the version
            return f"{type(error).__name__}: {error}", 0.0
        if not np.allclose(scores, expected, atol=TOLERANCE):
            return f"golden scores differ by {float(np.abs(scores - expected).max()):.4f}", SERVER_REFUSED_S
        return LiveModel(name, version, manifest), 0.0
