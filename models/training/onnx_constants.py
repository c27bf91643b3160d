"""Large constants of a graph that tf2onnx converts. It copies each constant at every pass over the graph, some hundred times, and
lets no copy go before the end: with the weights of a million items more than 20 GB. So they are inputs of the graph meanwhile."""

from typing import Any, Final

import numpy as np
import onnx

from features.arrays import AnyArray

LARGE: Final = 1 << 16
"""Bytes from which on a constant is left out; smaller ones may be folded into others."""


class LargeConstants:
    """The large constants of one graph.

    tables  of a node, by its name, the integers of its attributes, by their names, that take the place of those it was made with
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, AnyArray]] = {}
        self._inputs: dict[str, AnyArray] = {}

    def leave_out(self, graph: Any, operations: Any) -> Any:
        """Make each large constant an input: a rewriter of tf2onnx. Equal ones become the same."""
        for node in operations:
            if not node.is_const() or not graph.find_output_consumers(node.output[0]):
                continue
            value = node.get_tensor_value(as_list=False)
            if value.nbytes < LARGE:
                continue
            name, dtype, shape = node.output[0], graph.get_dtype(node.output[0]), graph.get_shape(node.output[0])
            same = next((known for known, of in self._inputs.items() if _are_same(of, value)), None)
            if same is not None:
                graph.replace_all_inputs(name, same)
            graph.remove_node(node.name)
            if same is None:
                graph.add_graph_input(name, dtype, shape)
                self._inputs[name] = value
        return graph.get_nodes()

    def put_back(self, model: onnx.ModelProto) -> None:
        """Make the constants of a converted graph, in place, constants again, and fill its tables."""
        for at in reversed(range(len(model.graph.input))):
            name = model.graph.input[at].name
            if name in self._inputs:
                model.graph.initializer.append(onnx.numpy_helper.from_array(self._inputs[name], name))
                del model.graph.input[at]
        for node in model.graph.node:
            for attribute in node.attribute:
                numbers = self.tables.get(node.name, {}).get(attribute.name)
                if numbers is not None:
                    del attribute.ints[:]
                    attribute.ints.extend(numbers.tolist())


def _are_same(one: AnyArray, other: AnyArray) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)
