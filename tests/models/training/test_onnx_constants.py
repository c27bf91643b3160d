"""Large constants are not in a graph while it is converted, and in it afterwards."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from models.training.runtime import import_tensorflow

import_tensorflow()

import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402

from models.training.onnx_constants import LARGE, LargeConstants  # noqa: E402

pytestmark = pytest.mark.keras
ROWS, WIDTH = 300, 64


def test_large_ones_are_inputs_meanwhile_and_stand_in_the_graph_once() -> None:
    table = np.random.default_rng(0).random((ROWS, WIDTH), np.float32)
    assert table.nbytes >= LARGE
    sizes: list[int] = []

    def look(graph: Any, operations: Any) -> Any:
        sizes.extend(node.get_tensor_value(as_list=False).nbytes for node in operations if node.is_const())
        return graph.get_nodes()

    def rows(first: Any, second: Any) -> dict[str, Any]:
        return {"out": tf.gather(tf.constant(table), first) + tf.gather(tf.constant(table.copy()), second) * 2.0}

    signature = [tf.TensorSpec([None], tf.int64, name) for name in ("first", "second")]
    large = LargeConstants()
    model, _ = tf2onnx.convert.from_function(
        tf.function(rows), input_signature=signature, opset=18, custom_rewriter=[large.leave_out, look]
    )
    assert sizes
    assert max(sizes) < LARGE
    assert len(model.graph.input) == 3, "both lookups are of one table"
    large.put_back(model)
    assert [each.name for each in model.graph.input] == ["first", "second"]
    assert ROWS * WIDTH in [np.prod(each.dims) for each in model.graph.initializer]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    first, second = np.array([0, 7]), np.array([ROWS - 1, 7])
    (out,) = session.run(["out"], {"first": first, "second": second})
    assert out == pytest.approx(table[first] + table[second] * 2)
