"""The ONNX graph of a version: what scores otherwise than the SavedModel is refused at publish, by name, with both scores."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from features.errors import Broken
from models import nets
from models.nets.parts.net import Net
from models.registry import MANIFEST, DataSeen, encode_manifest, folder_digests, list_versions, read_manifest
from models.training.runtime import import_tensorflow

import_tensorflow()

import tensorflow as tf  # noqa: E402

from models.training.export import stage  # noqa: E402
from models.training.onnx_export import ONNX_FILE  # noqa: E402
from models.training.pipeline import gate_and_publish  # noqa: E402

pytestmark = pytest.mark.keras


def seal(folder: Path, **changes: Any) -> None:
    """Make the manifest fit the files again, with `changes`."""
    manifest = msgspec.structs.replace(read_manifest(folder), digests=folder_digests(folder), **changes)
    (folder / MANIFEST).write_bytes(encode_manifest(manifest))


def change(folder: Path, edit: Callable[[Any], None]) -> None:
    """Edit the graph, as if it had been exported so."""
    graph = onnx.load(folder / ONNX_FILE)
    edit(graph.graph)
    onnx.save(graph, folder / ONNX_FILE)
    seal(folder)


def refused(folder: Path, tmp_path: Path, reason: str) -> None:
    name = read_manifest(folder).name
    with pytest.raises(Broken, match=reason):
        gate_and_publish(folder, tmp_path / "models", name)
    assert list_versions(tmp_path / "models", name) == []


def largest_weights(graph: Any) -> Any:
    """The largest float constant: a table of vectors."""
    floats = [each for each in graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    return max(floats, key=lambda each: len(each.raw_data))


def test_other_weights_than_the_saved_model(staged: Callable[[str], Path], tmp_path: Path) -> None:
    def edit(graph: Any) -> None:
        weights = largest_weights(graph)
        weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) * np.float32(1.05), weights.name))

    folder = staged("neuralcf")
    change(folder, edit)
    expected = r"neuralcf: .*in_process\.onnx, \d+ candidates for .*: candidate \d+: expected 0\.\d+ .*, got 0\.\d+"
    refused(folder, tmp_path, expected)


@pytest.mark.parametrize(("name", "table"), [("neuralcf", 0), ("neuralcf", 1), ("fusion", 0), ("fusion", 1)])
def test_an_unknown_id_taken_for_a_known_one(
    staged: Callable[[str], Path], tmp_path: Path, name: str, table: int
) -> None:
    """In each of the tables: of users, of candidates, of the history."""

    def edit(graph: Any) -> None:
        node = [each for each in graph.node if each.op_type == "LabelEncoder"][table]
        (default,) = [each for each in node.attribute if each.name == "default_int64"]
        default.i = 1

    folder = staged(name)
    change(folder, edit)
    refused(folder, tmp_path, f"{name}: .*expected 0.* as the SavedModel gives it, got")


def test_a_cut_graph(staged: Callable[[str], Path], tmp_path: Path) -> None:
    folder = staged("neuralcf")
    content = (folder / ONNX_FILE).read_bytes()
    (folder / ONNX_FILE).write_bytes(content[: len(content) // 2])
    refused(folder, tmp_path, r"in_process\.onnx was changed or cut")
    seal(folder)
    refused(folder, tmp_path, r"neuralcf: .*in_process\.onnx can't be loaded")


def test_a_graph_of_another_output(staged: Callable[[str], Path], tmp_path: Path) -> None:
    folder = staged("neuralcf")

    def edit(graph: Any) -> None:
        graph.output[0].name = "other"
        for node in graph.node:
            for at, output in enumerate(node.output):
                if output == "score":
                    node.output[at] = "other"

    change(folder, edit)
    refused(folder, tmp_path, r"1 candidates for a known user: can't be run")


def test_a_version_without_a_graph_is_published(staged: Callable[[str], Path], tmp_path: Path) -> None:
    """As all were before there was a choice."""
    folder = staged("neuralcf")
    (folder / ONNX_FILE).unlink()
    seal(folder, onnx=None)
    assert gate_and_publish(folder, tmp_path / "models", "neuralcf") == 1


@keras.saving.register_keras_serializable("tests")
class Odd(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """A layer of an operation that ONNX lacks."""

    def call(self, values: Any) -> Any:
        return tf.math.bessel_i0e(values)


def test_a_net_that_onnx_has_no_words_for_is_published_without_a_graph(
    fitted: Callable[[str], Any], samples: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from models.training.fitting.fit_rows import Fitted

    whole = fitted("neuralcf")
    model = keras.Model(whole.model.input, Odd()(whole.model.output))
    like = nets.find("neuralcf")
    odd = Net("odd", like.inputs, like.build)
    with caplog.at_level(logging.WARNING):
        manifest = stage(odd, Fitted(model, whole.context, ()), samples, {"auc": 0.7}, DataSeen(), tmp_path)
    assert manifest.onnx is None
    assert not (tmp_path / ONNX_FILE).exists()
    assert "odd can't be converted to ONNX" in caplog.text
