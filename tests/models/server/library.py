"""Toy models for the model server, and the messages that go with them.

``linear`` (graph-mode export): score = 2·x0 + 3·x1 + bias, and its bias is its version's number, so that an answer
tells which version gave it. ``kinds`` (a tf.Module): one signature for every element type that JSON can carry. Both are
ours: the recorded cases of TensorFlow Serving run on other models, in tests/conformance.
"""

import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

v1 = tf.compat.v1
methods = v1.saved_model.signature_constants


def write_linear(path: Path, bias: int) -> Path:
    """A version of ``linear`` in ``path``."""
    info, signature = v1.saved_model.utils.build_tensor_info, v1.saved_model.signature_def_utils.build_signature_def
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        weights = v1.get_variable("weights", initializer=[[2.0], [3.0]])
        offset = v1.get_variable("offset", initializer=float(bias))
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        score = tf.identity(tf.squeeze(tf.matmul(x, weights), 1) + offset, name="score")
        half = tf.identity(score / 2, name="half")
        examples = v1.placeholder(tf.string, [None], name="examples")
        features = v1.parse_example(examples, {"f": v1.FixedLenFeature([2], tf.float32)})
        rated = tf.matmul(features["f"], weights) + offset
        scores = tf.concat([rated, -rated], axis=1)
        classes = tf.tile(tf.constant([["up", "down"]]), [tf.shape(rated)[0], 1])
        signatures = {
            "serving_default": signature(
                {"x": info(x)}, {"score": info(score), "half": info(half)}, methods.PREDICT_METHOD_NAME
            ),
            "one": signature({"x": info(x)}, {"score": info(score)}, methods.PREDICT_METHOD_NAME),
            "classify": signature(
                {"inputs": info(examples)},
                {"classes": info(classes), "scores": info(scores)},
                methods.CLASSIFY_METHOD_NAME,
            ),
            "regress": signature({"inputs": info(examples)}, {"outputs": info(rated)}, methods.REGRESS_METHOD_NAME),
        }
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()
    return path


def write_kinds(path: Path) -> Path:
    """``kinds`` in ``path``: the identity for each element type, a mixed signature, and a sum without a dimension."""

    def identity(dtype: Any, rank: int = 1) -> Any:
        spec = tf.TensorSpec([None] * rank, dtype, name="value")
        return tf.function(lambda value: {"same": tf.identity(value)}, input_signature=[spec])

    def mixed(item: Any, dense: Any, tag: Any) -> dict[str, Any]:
        return {"next": item + 1, "sum": tf.reduce_sum(dense, axis=1), "tag": tag, "tag_bytes": tag}

    def total(value: Any) -> dict[str, Any]:
        return {"total": tf.reduce_sum(value)}

    mixed_specs = [
        tf.TensorSpec([None], tf.int64, name="item"),
        tf.TensorSpec([None, 2], tf.float32, name="dense"),
        tf.TensorSpec([None], tf.string, name="tag"),
    ]
    dtypes = (tf.float32, tf.float64, tf.int8, tf.int32, tf.int64, tf.uint8, tf.uint64, tf.bool, tf.string)
    signatures = {
        "serving_default": tf.function(mixed, input_signature=mixed_specs),
        "total": tf.function(total, input_signature=[tf.TensorSpec([None], tf.int32, name="value")]),
        "matrix": identity(tf.float32, 2),
        **{dtype.name: identity(dtype) for dtype in dtypes},
    }
    module = tf.Module()
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(path), signatures=signatures)
    return path


class Library:
    """Finished versions to copy from, and the messages that go with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for bias in (1, 2, 3):
            write_linear(folder / "linear" / str(bias), bias)
        write_kinds(folder / "kinds" / "1")

    def linear(self, version: int) -> Path:
        """The finished version of ``linear`` whose bias is ``version``."""
        return self.folder / "linear" / str(version)

    def put(self, finished: Path, base_path: Path, name: str = "") -> Path:
        """Bring a copy of a finished version to a base path the way a publisher does: aside, then one rename."""
        base_path.mkdir(parents=True, exist_ok=True)
        staging = base_path.parent / f".{base_path.name}-{name or finished.name}"
        shutil.copytree(finished, staging)
        return staging.rename(base_path / (name or finished.name))

    def request(self, model: str, signature: str = "", **inputs: Any) -> Any:
        """A PredictRequest; arrays of numbers go as tensor_content, as tf.make_tensor_proto writes them."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = signature
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
        return request

    def record(self, path: Path, *requests: Any) -> None:
        """Record predict requests as the warm-up of the version in ``path``."""
        folder = path / "assets.extra"
        folder.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
            for request in requests:
                log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
                writer.write(log.SerializeToString())

    def entry(self, name: str, base_path: Path, more: str = "") -> str:
        """One model of a model config list."""
        return f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" {more} }}\n'
