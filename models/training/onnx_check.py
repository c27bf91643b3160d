"""The gate's look at a version's ONNX graph: it must score what the API's process may ask as the SavedModel does."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from features.arrays import AnyArray, IntArray
from features.errors import Broken
from features.inputs.history import GAPS, MARKS
from features.types import NO_ID
from models.registry import Manifest
from models.training.fitting.warm_start import WEIGHTS

TOLERANCE: Final = 1e-5
"""A score of the ONNX graph may differ by this much from the SavedModel's: both add in float32, in another order."""
SIZES: Final = (1, 2, 17, 128, 500)
"""Candidates of each random request."""
KINDS: Final = ("a known user", "an unknown user without history", "a history with unknown items")
STRANGE_IDS: Final = (NO_ID, 0, -1, -(2**63))
"""Ids before, between and after those of a vocabulary, most likely in none."""

Score = Callable[[dict[str, AnyArray]], AnyArray]
"""Inputs with a row for each candidate → scores [n, 1]."""


def check_onnx(folder: Path, manifest: Manifest, score: Score) -> None:
    """Raise Broken where the version's ONNX graph can't be run, or scores a random request otherwise than `score` by more than
    1e-5: with the request, the candidate, and both scores. Nothing is checked where the manifest names no graph."""
    if manifest.onnx is None:
        return
    path = folder / manifest.onnx
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # classes of its own without a common one
        raise Broken(f"{manifest.name}: {path} can't be loaded: {_reason(error)}") from error
    rng = np.random.default_rng(0)
    user_ids, item_ids = known_ids(folder, manifest)
    for size in SIZES:
        for kind in KINDS:
            request = random_request(manifest, size, kind, user_ids, item_ids, rng)
            shared = {each.name for each in manifest.inputs if each.shared}
            whole = {name: np.repeat(rows, size, axis=0) if name in shared else rows for name, rows in request.items()}
            where = f"{manifest.name}: {path}, {size} candidates for {kind}"
            try:
                scores = session.run([manifest.outputs[0]], request)[0]
            except Exception as error:
                raise Broken(f"{where}: can't be run: {_reason(error)}") from error
            _require_close(np.asarray(scores), score(whole), where)


def _require_close(scores: AnyArray, expected: AnyArray, where: str) -> None:
    if scores.shape != expected.shape:
        raise Broken(f"{where}: expected scores of shape {list(expected.shape)}, got {list(scores.shape)}")
    apart = np.abs(scores - expected)[:, 0]
    worst = int(np.argmax(np.where(np.isfinite(apart), apart, np.inf)))
    if not apart[worst] <= TOLERANCE:
        got, wanted = float(scores[worst, 0]), float(expected[worst, 0])
        raise Broken(f"{where}: candidate {worst}: expected {wanted:.6f} as the SavedModel gives it, got {got:.6f}")


def random_request(
    manifest: Manifest, size: int, kind: str, user_ids: IntArray, item_ids: IntArray, rng: np.random.Generator
) -> dict[str, AnyArray]:
    """Inputs of a request for one user of one of KINDS and `size` candidates, a sixth of them unknown; what is shared has one
    row."""
    known = kind == KINDS[0]

    def ids(of: IntArray, shape: tuple[int, ...], strange: float) -> IntArray:
        return np.where(rng.random(shape) < strange, rng.choice(STRANGE_IDS, shape), rng.choice(of, shape))

    drawn: Mapping[str, Callable[[tuple[int, ...]], Any]] = {
        "userId": lambda shape: ids(user_ids, shape, 0 if known else 1),
        "movieId": lambda shape: ids(item_ids, shape, 1 / 6),
        "history": lambda shape: ids(item_ids, shape, (0, 1, 0.5)[KINDS.index(kind)]),
        "history_marks": lambda shape: rng.integers(0, MARKS, shape),
        "history_gaps": lambda shape: rng.integers(0, GAPS, shape),
    }
    request = {}
    for each in manifest.inputs:
        shape = (1 if each.shared else size, *([each.width] if each.width else []))
        request[each.name] = np.asarray(drawn.get(each.name, rng.standard_normal)(shape), each.dtype)
    return request


def known_ids(folder: Path, manifest: Manifest) -> tuple[IntArray, IntArray]:
    """Ids of users and of items that the model knows: from the weights beside it, else from its golden rows."""
    if (folder / WEIGHTS).is_file():
        with np.load(folder / WEIGHTS) as weights:
            return weights["user_ids"], weights["item_ids"]
    users, items = ([row.inputs.get(name, NO_ID) for row in manifest.golden] for name in ("userId", "movieId"))
    return np.asarray(users, np.int64), np.asarray(items, np.int64)


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
