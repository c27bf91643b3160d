"""The second form of a version: an ONNX graph for the API's own process (`online.model_client.in_process`).

It scores n candidates for one user: what OF_USER names has one row, not n as in the SavedModel, so a history is neither copied
for each candidate nor compared with its copies. Weights are constants. Converted by tf2onnx, but for four things that it
lacks or that ONNX Runtime takes otherwise:

- An id's index (`models.nets.parts.id_layers.IdIndex`, a binary search) becomes one LabelEncoder, a table from id to index.
- A choice by condition becomes Where; tf2onnx writes five steps of arithmetic.
- A square becomes Pow: ONNX Runtime then knows a layer norm, and computes it in one step.
- The five steps of a Gelu (`models.nets.parts.sequence.gelu`) become the one that ONNX Runtime has for it.

What is large, weights and ids of a great many items, is left out of the graph while it is converted
(`models.training.onnx_constants`).
"""

import logging
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from tf2onnx.graph_matcher import GraphMatcher, OpTypePattern

from features.errors import Broken
from features.inputs.input_maps import HISTORY_INPUTS, OF_USER
from models.nets.parts.net import Net
from models.training.fitting.fit_rows import input_specs
from models.training.onnx_constants import LargeConstants
from models.training.runtime import silent

ONNX_FILE: Final = "assets.extra/in_process.onnx"
OPSET: Final = 18
ML_DOMAIN: Final = "ai.onnx.ml"
RUNTIME_DOMAIN: Final = "com.microsoft"
_INDEX_OF_ID: Final = OpTypePattern(
    "Reshape",
    name="index",
    inputs=[
        OpTypePattern(
            "SelectV2",
            inputs=[
                OpTypePattern(
                    "Equal",
                    inputs=[
                        OpTypePattern("GatherV2", inputs=[OpTypePattern("Const", name="vocabulary"), "*", "*"]),
                        OpTypePattern("Reshape", inputs=[OpTypePattern("*", name="ids"), "*"]),
                    ],
                ),
                "*",
                "*",
            ],
        ),
        "*",
    ],
)
"""The operations of `IdIndex.call`, from the ids to their indices."""
_GELU: Final = OpTypePattern(
    "Mul",
    name="gelu",
    inputs=[
        OpTypePattern("Mul", inputs=[OpTypePattern("Const"), OpTypePattern("*", name="values")]),
        OpTypePattern(
            "AddV2",
            inputs=[
                OpTypePattern("Const"),
                OpTypePattern("Erf", inputs=[OpTypePattern("Mul|RealDiv", inputs=["*", OpTypePattern("Const")])]),
            ],
        ),
    ],
)
"""The operations of `models.nets.parts.sequence.gelu`."""

logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it can't convert, the session below refuses by name


def write_onnx(net: Net, model: Any, widths: dict[str, int], output: str, folder: Path) -> str:
    """Write the ONNX graph, whose one output gets this name, into a version's folder; returns its path within. Raises Broken for
    a net that can't be converted."""
    specs = input_specs(net, widths)
    call = tf.function(lambda *values: {output: _scores(model, dict(zip(net.inputs, values, strict=True)))})
    signature = [
        tf.TensorSpec([1, *specs[name].shape[1:]] if name in OF_USER else specs[name].shape, specs[name].dtype, name)
        for name in net.inputs
    ]
    large = LargeConstants()
    try:
        with silent():
            graph, _ = tf2onnx.convert.from_function(
                call,
                input_signature=signature,
                opset=OPSET,
                extra_opset=[onnx.helper.make_opsetid(ML_DOMAIN, 2), onnx.helper.make_opsetid(RUNTIME_DOMAIN, 1)],
                custom_op_handlers={"SelectV2": (_as_where, []), "Square": (_as_power, [])},
                custom_rewriter=[partial(_ids_by_table, large), _gelu_at_once, large.leave_out],
            )
            large.put_back(graph)
            content = graph.SerializeToString()
            session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # tf2onnx raises anything, and ONNX Runtime classes of its own without a common one
        reason = str(error).strip() or type(error).__name__
        raise Broken(f"{net.name} can't be converted to ONNX: {reason.splitlines()[0]}") from error
    if (names := sorted(each.name for each in session.get_inputs())) != sorted(net.inputs):
        raise Broken(f"{net.name} can't be converted to ONNX: expected the inputs {sorted(net.inputs)}, got {names}")
    path = folder / ONNX_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return ONNX_FILE


def _scores(model: Any, inputs: dict[str, Any]) -> Any:
    """[n, 1] scores. A history stays one row, which `models.nets.parts.inputs.Distinct` knows; what else is the user's gets as
    many rows as there are candidates, since nets lay it beside the candidates' columns."""
    rows = tf.shape(inputs["movieId"])
    wide = {
        name: tf.broadcast_to(value, tf.concat([rows, tf.shape(value)[1:]], axis=0))
        if name in OF_USER and name not in HISTORY_INPUTS
        else value
        for name, value in inputs.items()
    }
    return model(wide, training=False)


def _as_where(_graph: Any, node: Any, _name: str, _arguments: Any) -> None:
    node.type = "Where"


def _as_power(graph: Any, node: Any, _name: str, _arguments: Any) -> None:
    exponent = graph.make_const(f"{node.name}_exponent", np.float32(2))
    node.type = "Pow"
    graph.replace_inputs(node, [node.input[0], exponent.output[0]])


def _gelu_at_once(graph: Any, operations: Any) -> Any:
    """Replace the steps of each Gelu by one."""
    for match in GraphMatcher(_GELU, allow_reorder=True).match_ops(operations):
        _put(graph, match.get_op("gelu"), "Gelu", match.get_tensor("values"), RUNTIME_DOMAIN)
    return graph.get_nodes()


def _ids_by_table(large: LargeConstants, graph: Any, operations: Any) -> Any:
    """Replace each binary search for an id by a table: index from 1, 0 for what the vocabulary lacks."""
    for match in GraphMatcher(_INDEX_OF_ID, allow_reorder=True).match_ops(operations):
        ids = match.get_op("vocabulary").get_tensor_value(as_list=False)
        table = {"keys_int64s": [len(large.tables)], "values_int64s": [0], "default_int64": 0}
        encoder = _put(graph, match.get_op("index"), "LabelEncoder", match.get_tensor("ids"), ML_DOMAIN, table)
        large.tables[encoder.name] = {"keys_int64s": ids, "values_int64s": np.arange(1, len(ids) + 1)}
    return graph.get_nodes()


def _put(graph: Any, node: Any, kind: str, of: str, domain: str, attributes: dict[str, Any] | None = None) -> Any:
    """Put an operation of ONNX, of one tensor, in a node's place, under its name and output; returns it."""
    outputs = list(node.output)
    shapes, dtypes = [graph.get_shape(outputs[0])], [graph.get_dtype(outputs[0])]
    graph.remove_node(node.name)
    return graph.make_node(
        kind,
        [of],
        attr=attributes,
        domain=domain,
        outputs=outputs,
        name=node.name,
        shapes=shapes,
        dtypes=dtypes,
        skip_conversion=True,
    )
