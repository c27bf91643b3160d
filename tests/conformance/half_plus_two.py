"""The toy models on which the cases were recorded, as versioned SavedModels.

``half_plus_two``, versions 123 and 124, the same function in both (a graph-mode export, whose classify and regress
signatures carry a method name):

    serving_default    predict   x  float [-1, 1]         → y = 0.5·x + 2
    regress_x_to_y     regress   Examples with x          → 0.5·x + 2
    regress_x_to_y2    regress   Examples with x          → 0.5·x + 3
    regress_x2_to_y3   regress   x2, not Examples         → 0.5·x2 + 3
    classify_x_to_y    classify  Examples with x          → 0.5·x + 2
    classify_x2_to_y3  classify  x2, not Examples         → 0.5·x2 + 3

An Example must have x, float[1]; x2, float[1], is 0 where it is missing. ``multi``, version 1: inputs and outputs of
several element types, for rows and columns.
"""

from pathlib import Path
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1
names = v1.saved_model.signature_constants


def write_models(folder: Path) -> None:
    """``half_plus_two`` and ``multi`` below `folder`."""
    for version in ("00000123", "00000124"):
        write_half_plus_two(folder / "half_plus_two" / version)
    write_multi(folder / "multi" / "00000001")


def regress(examples: Any, outputs: Any) -> Any:
    info = v1.saved_model.utils.build_tensor_info
    return v1.saved_model.signature_def_utils.build_signature_def(
        {names.REGRESS_INPUTS: info(examples)}, {names.REGRESS_OUTPUTS: info(outputs)}, names.REGRESS_METHOD_NAME
    )


def classify(examples: Any, scores: Any) -> Any:
    info = v1.saved_model.utils.build_tensor_info
    return v1.saved_model.signature_def_utils.build_signature_def(
        {names.CLASSIFY_INPUTS: info(examples)},
        {names.CLASSIFY_OUTPUT_SCORES: info(scores)},
        names.CLASSIFY_METHOD_NAME,
    )


def write_half_plus_two(path: Path) -> None:
    info = v1.saved_model.utils.build_tensor_info
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        a = v1.get_variable("a", initializer=0.5)
        b = v1.get_variable("b", initializer=2.0)
        c = v1.get_variable("c", initializer=3.0)
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        kinds = {
            "x": v1.FixedLenFeature([1], tf.float32),
            "x2": v1.FixedLenFeature([1], tf.float32, default_value=[0.0]),
        }
        features = v1.parse_example(examples, kinds)
        x = tf.identity(features["x"], name="x")
        y = tf.add(a * x, b, name="y")
        y2 = tf.add(a * x, c, name="y2")
        x2 = tf.identity(features["x2"], name="x2")
        y3 = tf.add(a * x2, c, name="y3")
        plain = v1.saved_model.signature_def_utils.build_signature_def(
            {"x": info(x)}, {"y": info(y)}, names.PREDICT_METHOD_NAME
        )
        signatures = {
            names.DEFAULT_SERVING_SIGNATURE_DEF_KEY: plain,
            "regress_x_to_y": regress(examples, y),
            "regress_x_to_y2": regress(examples, y2),
            "regress_x2_to_y3": regress(x2, y3),
            "classify_x_to_y": classify(examples, y),
            "classify_x2_to_y3": classify(x2, y3),
        }
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()


class Multi(tf.Module):  # type: ignore[misc,unused-ignore]
    """A signature of mixed element types, and one each for bool, double, float, and a scalar output."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable([0.5, 0.25])

    def score(self, user: Any, feats: Any, tag: Any) -> dict[str, Any]:
        return {"score": tf.reduce_sum(feats * self.weights, axis=1), "id_plus": user + 1, "tag_bytes": tag}


def write_multi(path: Path) -> None:
    def one(name: str, shape: list[int | None], dtype: Any, answer: Any) -> Any:
        return tf.function(answer, input_signature=[tf.TensorSpec(shape, dtype, name=name)])

    module = Multi()
    mixed = [
        tf.TensorSpec([None], tf.int64, name="user"),
        tf.TensorSpec([None, 2], tf.float32, name="feats"),
        tf.TensorSpec([None], tf.string, name="tag"),
    ]
    signatures = {
        "serving_default": tf.function(module.score, input_signature=mixed),
        "negate": one("flag", [None], tf.bool, lambda flag: {"flipped": tf.logical_not(flag)}),
        "double": one("d", [None], tf.float64, lambda d: {"d2": d * 2.0}),
        "ident": one("f", [None], tf.float32, lambda f: {"g": tf.identity(f)}),
        "int_sum": one("i", [None, None], tf.int32, lambda i: {"total": tf.reduce_sum(i)}),  # no dimension of rows
    }
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(path), signatures=signatures)
