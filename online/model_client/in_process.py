"""Ranking in the API's own process: the ONNX graphs of the versions that rank, each in a session of ONNX Runtime.

A graph is loaded off the event loop and must give its version's golden scores, as the model server must; one that does not, or
that would hold the event loop up, is not used: that version ranks by the model server, and `reasons` says why. The runtime is
imported with the first graph, so an API that ranks by the model server does without it.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from features.arrays import FloatArray
from features.contracts.served import MAX_CANDIDATES
from features.errors import MartletError
from models.registry import Manifest, version_folder
from online.model_client.golden import TOLERANCE, golden_arrays
from online.model_client.transport import Inputs
from online.support import metrics

logger = logging.getLogger(__name__)

MAX_SECONDS: Final = 0.001
"""What scoring as many candidates as a list can have may take at best: no other request is served meanwhile."""
TIMED_RUNS: Final = 50
"""So often a graph may try to be that fast: on a busy machine most runs are interrupted."""
RETRY: Final = 60.0
"""Seconds until a graph that was not used is looked at again: its files may have changed, or the machine is less busy."""

Key = tuple[str, int]
"""Name and version of a model."""


class NotUsed(MartletError):
    """A version's graph is missing, wrong or slow."""


class LocalSession:
    """One version's ONNX graph, loaded: one thread, which does not spin. Raises what ONNX Runtime raises for a file that it can't
    load."""

    def __init__(self, file: Path, output: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # an exception says it all
        self._run = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"]).run
        self._output = [output]

    def scores(self, inputs: Inputs, count: int) -> FloatArray:
        """[count] scores of at least one candidate; inputs that the manifest calls shared have one row. Raises ValueError for
        scores that are not `count` finite numbers, and what ONNX Runtime raises for inputs that are not the graph's."""
        scores: FloatArray = self._run(self._output, dict(inputs))[0].reshape(-1)
        if scores.shape != (count,) or not np.isfinite(scores).all():
            raise ValueError(f"expected {count} finite scores, got {len(scores)}, or not finite ones")
        return scores


class LocalSessions:
    """The sessions of the versions that rank in this process.

    models   the folder of all models
    retry    seconds until a graph that was not used is looked at again
    reasons  why a version ranks by the model server all the same
    """

    def __init__(self, models: Path, retry: float = RETRY) -> None:
        self._models = models
        self._retry = retry
        self._sessions: dict[Key, LocalSession] = {}
        self.reasons: dict[Key, str] = {}
        self._retry_at: dict[Key, float] = {}
        self._failed: set[Key] = set()

    def holds(self, name: str, version: int) -> bool:
        """Whether a version ranks in this process."""
        return (name, version) in self._sessions

    def scores(self, name: str, version: int, inputs: Inputs, count: int) -> FloatArray | None:
        """[count] scores of a version, computed here and now; None where the model server is to be asked: it has no session, or
        this one failed, which is counted."""
        key = (name, version)
        session = self._sessions.get(key)
        if session is None:
            return None
        try:
            return session.scores(inputs, count)
        except Exception as error:  # ONNX Runtime's have no class in common
            metrics.IN_PROCESS_FAILED.labels(name).inc()
            if key not in self._failed:
                logger.warning("model %s version %d failed in this process, the model server is asked: %s", *key, error)
                self._failed.add(key)
            return None

    async def keep(self, manifests: Iterable[Manifest]) -> None:
        """Hold sessions of exactly these versions, as far as their graphs are good: load what is new, drop what is not among
        them."""
        wanted = {(each.name, each.version): each for each in manifests}
        for key in {*self._sessions, *self.reasons} - set(wanted):
            self._sessions.pop(key, None)
            self.reasons.pop(key, None)
            self._retry_at.pop(key, None)
            self._failed.discard(key)
        for key, manifest in wanted.items():
            if key not in self._sessions and time.monotonic() >= self._retry_at.get(key, 0.0):
                await self._load(key, manifest)

    async def _load(self, key: Key, manifest: Manifest) -> None:
        where = f"model {key[0]} version {key[1]}"
        try:
            self._sessions[key] = await asyncio.to_thread(load, self._models, manifest)
        except (MartletError, OSError) as error:
            if key not in self.reasons:
                logger.warning("%s ranks by the model server: %s", where, error)
            self.reasons[key], self._retry_at[key] = str(error), time.monotonic() + self._retry
        else:
            self.reasons.pop(key, None)
            logger.info("%s ranks in this process", where)


def load(models: Path, manifest: Manifest) -> LocalSession:
    """The session of a version. Raises NotUsed where it has no graph, or one that can't be loaded, gives other golden scores or
    takes too long."""
    if manifest.onnx is None:
        raise NotUsed("it has no ONNX graph (training makes one since ranking in the API's process is a choice)")
    file = version_folder(models, manifest.name, manifest.version) / manifest.onnx
    try:
        session = LocalSession(file, manifest.outputs[0])
        apart, at_best = _golden_difference(session, manifest), _seconds(session, manifest)
    except Exception as error:  # ONNX Runtime's have no class in common
        raise NotUsed(f"{file}: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from error
    if not apart <= TOLERANCE:
        raise NotUsed(f"{file}: golden scores differ by {apart:.4f}, expected at most {TOLERANCE}")
    if at_best > MAX_SECONDS:
        raise NotUsed(
            f"{file}: {MAX_CANDIDATES} candidates take {at_best * 1e3:.1f} ms at best, expected at most {MAX_SECONDS * 1e3:.1f}"
        )
    return session


def _golden_difference(session: LocalSession, manifest: Manifest) -> float:
    """The largest difference of a golden score. The rows are of different users, so each is a request of its own."""
    inputs, expected = golden_arrays(manifest)
    each_alone = ({name: rows[at : at + 1] for name, rows in inputs.items()} for at in range(len(expected)))
    scores = np.concatenate([session.scores(one, 1) for one in each_alone])
    return float(np.abs(scores - expected).max())


def _seconds(session: LocalSession, manifest: Manifest) -> float:
    """What a list of MAX_CANDIDATES takes at best; no more is tried than it takes to be fast enough."""
    golden, _ = golden_arrays(manifest)
    rows = {each.name: np.zeros(1 if each.shared else MAX_CANDIDATES, np.int64) for each in manifest.inputs}
    inputs = {name: values[rows[name]] for name, values in golden.items()}
    best = float("inf")
    for _ in range(TIMED_RUNS):
        began = time.perf_counter()
        session.scores(inputs, MAX_CANDIDATES)
        best = min(best, time.perf_counter() - began)
        if best <= MAX_SECONDS:
            break
    return best
