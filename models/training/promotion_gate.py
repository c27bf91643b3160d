"""The gate before a version is published: it may be only if it loads and answers under TensorFlow Serving's conditions. Which of
the published ones ranks, labels say (`models/registry/labels.py`), which a judge may change (`infra/judging/rules.py`).

It is loaded into a Session of its own, which finds variables by name as TensorFlow Serving does; `tf.saved_model.load`
would hide a model that serves nothing.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from features.arrays import AnyArray
from features.errors import Broken
from models.registry import (
    Labels,
    Manifest,
    ModelInput,
    list_versions,
    read_labels,
    read_manifest,
    require_current_inputs,
    verify_digests,
    version_folder,
)
from models.training.export import WARM_UP
from models.training.onnx_check import check_onnx
from models.training.towers import read_item_vectors

DEFAULT: Final = "serving_default"
TOLERANCE: Final = 1e-4
"""A golden score may differ by this much between the machine that trained and the one that serves."""
LIVE_AUC: Final = "live_auc"
"""The live version's AUC on the validation of this one, in the metrics of a version that went on from an earlier one."""
AUC_MARGIN: Final = 0.02
"""A version may have this much less validation AUC than the live one: validation parts differ from day to day."""

v1 = tf.compat.v1
logging.getLogger("tensorflow").setLevel(logging.ERROR)  # the v1 loader warns that it is old; it is what we want


def check_weights(folder: Path) -> None:
    """Raise Broken for a variable with values that are not finite, or variables that can't be read."""
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    for name, dtype in sorted(reader.get_variable_to_dtype_map().items()):
        if dtype.is_floating and not np.isfinite(reader.get_tensor(name)).all():
            raise Broken(f"{folder}: the variable {name} holds values that are not finite")


Kind = tuple[str, list[int]]
"""Element type and shape, -1 for the rows."""


def check_signature(signature: Any, inputs: tuple[ModelInput, ...], outputs: Mapping[str, int], folder: Path) -> None:
    """Raise Broken where a signature has other inputs or outputs (name → width) than the manifest declares."""
    expected: dict[str, Kind] = {i.name: (i.dtype, [-1, i.width] if i.width else [-1]) for i in inputs}
    got = {name: _kind(info) for name, info in signature.inputs.items()}
    if got != expected:
        raise Broken(f"{folder}: expected the inputs {_text(expected)}, got {_text(got)}")
    given = {name: _kind(info) for name, info in signature.outputs.items()}
    wanted: dict[str, Kind] = {name: ("float32", [-1, width]) for name, width in outputs.items()}
    if given != wanted:
        raise Broken(f"{folder}: expected the outputs {_text(wanted)}, got {_text(given)}")


def _kind(info: Any) -> Kind:
    return tf.as_dtype(info.dtype).name, [axis.size for axis in info.tensor_shape.dim]


def _text(kinds: dict[str, Kind]) -> str:
    return ", ".join(f"{name} {dtype}{shape}" for name, (dtype, shape) in sorted(kinds.items()))


def golden_arrays(manifest: Manifest) -> dict[str, AnyArray]:
    """The golden rows as one batch."""
    return {i.name: np.asarray([row.inputs[i.name] for row in manifest.golden], i.dtype) for i in manifest.inputs}


def check_scores(scores: AnyArray, manifest: Manifest, folder: Path) -> None:
    """Raise Broken where a golden score is not finite or not the recorded one."""
    expected = np.asarray([row.scores for row in manifest.golden])
    if scores.shape != expected.shape:
        raise Broken(f"{folder}: expected scores of shape {list(expected.shape)}, got {list(scores.shape)}")
    if not (np.isfinite(scores).all() and np.isfinite(expected).all()):
        raise Broken(f"{folder}: golden scores are not finite")
    worst = int(np.argmax(np.abs(scores - expected).max(axis=1)))
    if np.abs(scores[worst] - expected[worst]).max() > TOLERANCE:
        raise Broken(f"{folder}: golden row {worst}: expected {expected[worst]}, got {scores[worst]}")


def check_towers(vectors: AnyArray, manifest: Manifest, folder: Path) -> None:
    """Raise Broken where the items' vectors are not whole, or rank the golden rows otherwise than their scores. vectors: of the
    golden rows' users."""
    assert manifest.towers is not None
    ids, items = read_item_vectors(folder / manifest.towers.folder)
    if items.shape != (len(ids), manifest.towers.width) or not np.isfinite(items).all():
        raise Broken(f"{folder}: expected finite vectors of {len(ids)} items, width {manifest.towers.width}")
    if not np.isfinite(vectors).all():
        raise Broken(f"{folder}: vectors of users are not finite")
    item_ids = golden_arrays(manifest)["movieId"]
    index = np.minimum(np.searchsorted(ids, item_ids), max(0, len(ids) - 1))
    known = np.flatnonzero(ids[index] == item_ids) if len(ids) else np.zeros(0, np.int64)
    products = (vectors[known] * items[index[known]]).sum(axis=1)
    scores = np.asarray([manifest.golden[row].scores[0] for row in known])[np.argsort(products)]
    if (np.diff(scores) < -TOLERANCE).any():
        raise Broken(f"{folder}: vectors of users and items rank the golden rows otherwise than the scores do")


def warm_up_feeds(folder: Path, name: str) -> list[tuple[str, dict[str, AnyArray]]]:
    """(signature, inputs) of each request."""
    path = folder / WARM_UP
    if not path.is_file():
        raise Broken(f"{path} is missing: a version ships with warm-up requests")
    feeds = []
    for record in v1.io.tf_record_iterator(str(path)):
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        if request.model_spec.name != name:
            raise Broken(f"{path}: expected requests to {name}, got one to {request.model_spec.name!r}")
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        feeds.append((request.model_spec.signature_name, inputs))
    return feeds


def _run(folder: Path, manifest: Manifest) -> None:
    """Load into a fresh Session, then golden rows, warm-up requests, and the ONNX graph beside it."""
    declared = {DEFAULT: (manifest.inputs, dict.fromkeys(manifest.outputs, 1))}
    if (towers := manifest.towers) is not None:
        declared[towers.signature] = (towers.inputs, {towers.output: towers.width})
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        loaded = v1.saved_model.load(session, ["serve"], str(folder))
        for name, (inputs, outputs) in declared.items():
            if name not in loaded.signature_def:
                raise Broken(f"{folder} has no signature {name}")
            check_signature(loaded.signature_def[name], inputs, outputs, folder)

        def score(name: str, rows: dict[str, AnyArray]) -> AnyArray:
            signature = loaded.signature_def[name]
            inputs, outputs = declared[name]
            feeds = {signature.inputs[each.name].name: rows[each.name] for each in inputs}
            return np.asarray(session.run(signature.outputs[next(iter(outputs))].name, feeds))

        golden = golden_arrays(manifest)
        check_scores(score(DEFAULT, golden), manifest, folder)
        if towers is not None:
            check_towers(score(towers.signature, golden), manifest, folder)
        for name, feeds in warm_up_feeds(folder, manifest.name):
            fits = name in declared and set(feeds) == {i.name for i in declared[name][0]}
            if not fits or not np.isfinite(score(name, feeds)).all():
                raise Broken(f"{folder / WARM_UP}: a request does not fit the model or gets scores that are not finite")
        check_onnx(folder, manifest, lambda rows: score(DEFAULT, rows))


def check_version(folder: Path) -> Manifest:
    """Load the version in `folder` as TensorFlow Serving does and hold it to its manifest; returns the manifest.

    Raises Broken with the reason: a file missing or cut, other inputs, weights or scores that are not finite, golden
    scores that differ by more than 1e-4, a warm-up request that fails, an ONNX graph that scores otherwise.
    """
    verify_digests(folder)
    manifest = read_manifest(folder)
    require_current_inputs(manifest)
    try:
        check_weights(folder)
        _run(folder, manifest)
    except (
        tf.errors.OpError,
        DecodeError,
        OSError,
        EOFError,
        BadZipFile,
        ValueError,
        LookupError,
        RuntimeError,
    ) as error:
        reason = str(error).strip() or type(error).__name__
        raise Broken(f"{folder} can't be loaded: {reason.splitlines()[0]}") from error
    return manifest


def live_version(models_dir: Path, name: str) -> Manifest | None:
    """The manifest of the version that ranks: the first, in the order of the labels, that has a readable one and takes today's
    inputs; None if none does: another one ranks for nobody, so it is not live. Raises Broken where labels can't be read."""
    return next(_rankable(models_dir, name), None)


def compared_version(models_dir: Path, manifest: Manifest) -> Manifest | None:
    """The manifest of the version that one to be published is held to; None where there is none. It is the live one, where that
    was measured on the same validation, or on lists of the same making; else the first in the order of the labels that was. What
    goes on from another version is measured on lists that were shown, of some twenty good items each; an AUC among the hundreds
    that recall finds is far higher for the same weights."""
    versions = _rankable(models_dir, manifest.name)
    if LIVE_AUC in manifest.metrics:
        return next(versions, None)
    return next((each for each in versions if LIVE_AUC not in each.metrics), None)


def _rankable(models_dir: Path, name: str) -> Iterator[Manifest]:
    """The versions that have a readable manifest and take today's inputs, in the order of the labels."""
    labels = read_labels(models_dir, name) or Labels()
    for version in labels.order(list_versions(models_dir, name)):
        with suppress(Broken):
            manifest = read_manifest(version_folder(models_dir, name, version))
            require_current_inputs(manifest)
            yield manifest


def check_not_worse(manifest: Manifest, other: Manifest | None, margin: float = AUC_MARGIN) -> None:
    """Raise Broken where the version has over `margin` less validation AUC than the other one, or records none. Its own metrics
    record how good the live one was on the same validation, if that is another than the live one's. A version of another schema
    has measured something else, and does not rank where this one does."""
    auc = manifest.metrics.get("auc")
    if auc is None:
        raise Broken(f"{manifest.name}: the manifest records no auc")
    if other is None or other.schema != manifest.schema:
        return
    expected = manifest.metrics.get(LIVE_AUC, other.metrics.get("auc", 0.0))
    if auc < expected - margin:
        raise Broken(
            f"{manifest.name}: auc {auc:.4f} is more than {margin} below the {expected:.4f} of version "
            f"{other.version} (--force publishes all the same)"
        )
