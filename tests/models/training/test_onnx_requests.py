"""What the gate asks of an ONNX graph, without a trained net: a graph of two tables, and the same in numpy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from features.arrays import AnyArray, IntArray
from features.errors import Broken
from features.inputs.history import LENGTH
from models.registry import Golden, Manifest, ModelInput
from models.training.onnx_check import KINDS, SIZES, check_onnx, known_ids, random_request
from tests.models.fake_version import a_manifest

ITEMS = np.arange(10, 70, 3)
WEIGHTS = np.linspace(-1, 1, len(ITEMS) + 1).astype(np.float32)
"""By index: 0 is of an unknown id."""
INPUTS = (
    ModelInput("movieId", "int64"),
    ModelInput("history", "int64", LENGTH, True),
    ModelInput("cross", "float32", 2),
)


def manifest() -> Manifest:
    golden = tuple(Golden({"movieId": int(each), "history": [], "cross": [0.0, 0.0]}, [0.5]) for each in ITEMS)
    return a_manifest(inputs=INPUTS, golden=golden, onnx="graph.onnx")


def index(ids: AnyArray) -> IntArray:
    at = np.minimum(np.searchsorted(ITEMS, ids), len(ITEMS) - 1)
    return np.where(ITEMS[at] == ids, at + 1, 0)


def scores(inputs: dict[str, AnyArray]) -> AnyArray:
    """Of inputs with a row for each candidate."""
    logits = WEIGHTS[index(inputs["movieId"])] + WEIGHTS[index(inputs["history"])].sum(axis=1) + inputs["cross"][:, 0]
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)[:, None]


def write_graph(folder: Path, unknown_item: int = 0, unknown_history: int = 0, weights: AnyArray = WEIGHTS) -> None:
    """unknown_…: the index that is taken for an id that is not in the table."""

    def table(source: str, target: str, unknown: int) -> Any:
        indices = list(range(1, len(ITEMS) + 1))
        kinds = {"keys_int64s": ITEMS.tolist(), "values_int64s": indices, "default_int64": unknown}
        return helper.make_node("LabelEncoder", [source], [target], domain="ai.onnx.ml", **kinds)

    nodes = [
        table("movieId", "item", unknown_item),
        table("history", "items", unknown_history),
        helper.make_node("Gather", ["weights", "item"], ["of_item"]),
        helper.make_node("Gather", ["weights", "items"], ["of_items"]),
        helper.make_node("ReduceSum", ["of_items"], ["of_history"], keepdims=0),
        helper.make_node("Gather", ["cross", "first"], ["of_cross"], axis=1),
        helper.make_node("Sum", ["of_item", "of_history", "of_cross"], ["logit"]),
        helper.make_node("Unsqueeze", ["logit", "last"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["score"]),
    ]
    constants = {"weights": weights, "first": np.array(0), "last": np.array([1])}
    made = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info("movieId", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("history", TensorProto.INT64, [1, LENGTH]),
            helper.make_tensor_value_info("cross", TensorProto.FLOAT, ["n", 2]),
        ],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 2)]
    content = helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()
    (folder / "graph.onnx").write_bytes(content)


def test_a_graph_that_scores_alike_passes(tmp_path: Path) -> None:
    write_graph(tmp_path)
    check_onnx(tmp_path, manifest(), scores)


def test_one_weight_that_is_another_is_found_with_both_scores(tmp_path: Path) -> None:
    weights = WEIGHTS.copy()
    weights[7] += 0.001
    write_graph(tmp_path, weights=weights)
    expected = (
        r"toy: .*graph\.onnx, \d+ candidates for .*: candidate \d+: expected 0\.\d{6} as the SavedModel gives it, got"
    )
    with pytest.raises(Broken, match=expected):
        check_onnx(tmp_path, manifest(), scores)


@pytest.mark.parametrize(("item", "history"), [(1, 0), (0, 1)])
def test_an_unknown_id_that_is_taken_for_another_is_found(tmp_path: Path, item: int, history: int) -> None:
    write_graph(tmp_path, unknown_item=item, unknown_history=history)
    with pytest.raises(Broken, match="as the SavedModel gives it, got"):
        check_onnx(tmp_path, manifest(), scores)


def test_scores_that_are_no_numbers_are_found(tmp_path: Path) -> None:
    write_graph(tmp_path, weights=np.full_like(WEIGHTS, np.nan))
    with pytest.raises(Broken, match=r"candidate 0: expected .*, got nan"):
        check_onnx(tmp_path, manifest(), scores)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_requests_are_of_one_user_and_as_many_candidates(tmp_path: Path, size: int, kind: str) -> None:
    users, items = known_ids(tmp_path, manifest())
    request = random_request(manifest(), size, kind, users, items, np.random.default_rng(3))
    shapes = {name: values.shape for name, values in request.items()}
    assert shapes == {"movieId": (size,), "history": (1, LENGTH), "cross": (size, 2)}
    known = np.isin(request["history"], ITEMS).mean()
    assert known == {KINDS[0]: 1.0, KINDS[1]: 0.0}.get(kind, known)
    assert kind != KINDS[2] or 0 < known < 1
    assert size < 100 or 0.05 < 1 - np.isin(request["movieId"], ITEMS).mean() < 0.3
