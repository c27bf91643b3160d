"""What every net must do, each of them: a new file in models/nets is held to this without a line here."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest

from features.fold.state import UserFeatures
from features.fold.user import UserState, fold_user
from features.inputs.columns import ClickWeights, ItemColumns, item_matrix, user_vector
from features.inputs.history import history_of
from features.inputs.input_maps import ID_INPUTS, OF_USER, InputMaps
from features.inputs.model_inputs import RawInputs, model_inputs
from features.inputs.signals import SIGNAL_COLUMNS
from features.types import LIKE, Event
from features.units import DAY_MS
from models import nets
from models.nets.parts.net import ROWS, Net, NetContext
from models.registry import read_manifest
from models.training.runtime import import_tensorflow
from online.model_client.in_process import LocalSession
from tests.models.synthetic_lists import START
from tests.schemas import MOVIES, film

import_tensorflow()

import tensorflow as tf  # noqa: E402

from models.training import promotion_gate  # noqa: E402
from models.training.export import OUTPUT, golden_inputs  # noqa: E402
from models.training.fitting.fit_rows import predictor  # noqa: E402

pytestmark = pytest.mark.keras

v1 = tf.compat.v1


ALIKE = {"deepfm": "widedeep", "embeddingmlp": "widedeep", "dien": "din", "sasrec": "fusion"}
"""Net → another one that learns from the same lessons by the same steps. Every run builds each net; of those that are alike it
trains and exports one, and the rest with --all. A net that is not named here is trained in every run."""


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.soak if name in ALIKE else ()) for name in nets.names()])
def net(request: pytest.FixtureRequest) -> Net:
    return nets.find(request.param)


@pytest.fixture(params=nets.names())
def any_net(request: pytest.FixtureRequest) -> Net:
    return nets.find(request.param)


@pytest.fixture
def context(any_net: Net, fitted: Callable[[str], Any]) -> NetContext:
    """What a net is built from: the same for those that learn from the same lessons."""
    made: NetContext = fitted(ALIKE.get(any_net.name, any_net.name)).context
    return made


def serve(folder: Path, rows: dict[str, Any]) -> Any:
    """Scores as a Session, and so TensorFlow Serving, gives them."""
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        signature = v1.saved_model.load(session, ["serve"], str(folder)).signature_def["serving_default"]
        feeds = {signature.inputs[name].name: values for name, values in rows.items()}
        return session.run(signature.outputs[OUTPUT].name, feeds)


def test_scores_are_one_probability_a_row(any_net: Net, context: NetContext, lessons: Callable[[str], Any]) -> None:
    rows = {name: lessons(any_net.name).validation.inputs[name][:5] for name in any_net.inputs}
    scores = any_net.build(context)(rows).numpy()
    assert scores.shape == (5, 1)
    assert scores.dtype == np.float32
    assert ((scores > 0) & (scores < 1)).all()


def test_it_learned_something(net: Net, fitted: Callable[[str], Any], lessons: Callable[[str], Any]) -> None:
    before = net.build(fitted(net.name).context)
    after = fitted(net.name).model
    losses = []
    for model in (before, after):
        scores = predictor(net, model, lessons(net.name).widths)(lessons(net.name).train.inputs)
        losses.append(tf.keras.losses.binary_crossentropy(lessons(net.name).train.labels, scores).numpy().mean())
    assert losses[1] < losses[0]


def test_the_exported_version_passes_the_gate(net: Net, staged_once: Callable[[str], Path]) -> None:
    manifest = promotion_gate.check_version(staged_once(net.name))
    assert tuple(i.name for i in manifest.inputs) == net.inputs
    assert 8 <= len(manifest.golden) <= 16


def test_a_session_answers_as_the_model_did(
    net: Net, fitted: Callable[[str], Any], lessons: Callable[[str], Any], staged_once: Callable[[str], Path]
) -> None:
    rows = {name: lessons(net.name).train.inputs[name][:100] for name in net.inputs}
    expected = predictor(net, fitted(net.name).model, lessons(net.name).widths)(rows)
    assert serve(staged_once(net.name), rows)[:, 0] == pytest.approx(expected, abs=1e-5)


def test_a_row_scores_the_same_alone_and_among_others(
    net: Net, lessons: Callable[[str], Any], staged_once: Callable[[str], Path]
) -> None:
    rows = golden_inputs(net, lessons(net.name).validation.inputs)
    together = serve(staged_once(net.name), rows)
    alone = serve(staged_once(net.name), {name: values[3:4] for name, values in rows.items()})
    assert alone[0, 0] == pytest.approx(together[3, 0], abs=1e-5)


def test_one_row_of_the_user_stands_for_all(
    net: Net, lessons: Callable[[str], Any], staged_once: Callable[[str], Path]
) -> None:
    shared = {each.name for each in read_manifest(staged_once(net.name)).inputs if each.shared}
    assert shared == set(net.inputs) & set(OF_USER)
    rows = golden_inputs(net, lessons(net.name).validation.inputs)
    once = {name: values[:1] if name in shared else values for name, values in rows.items()}
    copied = {
        name: np.repeat(values[:1], len(values), axis=0) if name in shared else values for name, values in rows.items()
    }
    assert serve(staged_once(net.name), once) == pytest.approx(serve(staged_once(net.name), copied), abs=1e-6)


def test_unknown_ids_all_get_the_same_finite_score(
    net: Net, lessons: Callable[[str], Any], staged_once: Callable[[str], Path]
) -> None:
    rows = {name: np.repeat(lessons(net.name).validation.inputs[name][:1], 4, axis=0) for name in net.inputs}
    for name in set(ID_INPUTS) & set(net.inputs):
        rows[name] = np.array([0, 11, 2**63 - 1, -(2**63)])  # before, between, after the vocabulary, and nonsense
    scores = serve(staged_once(net.name), rows)
    assert np.isfinite(scores).all()
    assert scores == pytest.approx(np.full((4, 1), scores[0, 0]), abs=1e-6)


FACETS: Sequence[tuple[str, ...]] = (
    (),
    ("Ornithology",),
    ("Falconry", "Heraldry"),
    ("Drama",),
    ("Drama", "Ornithology"),
)


def inputs_by_facets(net: Net, maps: InputMaps) -> dict[str, Any]:
    """A row for each of FACETS, of items that differ in nothing else and that the model knows; for a user who has liked one of
    the unknown values."""
    at, columns = START + DAY_MS, ItemColumns(len(FACETS))
    for row, values in enumerate(FACETS):
        columns.set_item(row, 10, film(10, "x", values, 1990))
    state = UserState(UserFeatures(10))
    for number, values in enumerate((("Falconry",), ("Comedy",))):
        event = Event(f"e{number}", LIKE, 10, 10, 0, "", START + number)
        fold_user(state, event, film(10, "x", values, 1990), number, MOVIES)
    rows = np.arange(len(FACETS))
    raw = RawInputs(
        np.array([10]),
        user_vector(state.features, at, maps.vocabulary, ClickWeights(), MOVIES)[None],
        columns.ids,
        item_matrix(columns, rows, at, maps.vocabulary),
        history=history_of(state.features.recent, at),
        signals=np.zeros((len(rows), len(SIGNAL_COLUMNS)), np.float32),
    )
    if not maps.item_mean:  # of lists: no net that learns from them takes columns of items
        assert not {"item", "cross"} & set(net.inputs)
    return model_inputs(net.inputs, maps, raw)


def test_facet_values_that_it_does_not_know_share_one_bucket(
    net: Net, lessons: Callable[[str], Any], staged_once: Callable[[str], Path]
) -> None:
    scores = serve(staged_once(net.name), inputs_by_facets(net, lessons(net.name).maps))[:, 0]
    assert ((scores > 0) & (scores < 1)).all()
    assert scores[1] == pytest.approx(scores[2], abs=1e-6)
    by_item = bool({"item", "cross"} & set(net.inputs))
    assert (abs(scores[0] - scores[1]) > 1e-5) == by_item  # it has learned of others


def test_no_lesson_of_other_values_is_no_opinion_of_them(
    net: Net, lessons: Callable[[str], Any], staged_once: Callable[[str], Path]
) -> None:
    """Where no value was outside of the vocabulary in training, the buckets of item and user are as if they were not there."""
    maps = lessons(net.name).maps
    kinds = len(maps.vocabulary) + 1
    user_std, item_std = np.array(maps.user_std), np.array(maps.item_std)
    user_std[[-1, -1 - kinds, -1 - 2 * kinds]] = 0
    item_std[-1:] = 0
    alone = msgspec.structs.replace(maps, user_std=tuple(user_std.tolist()), item_std=tuple(item_std.tolist()))
    inputs = inputs_by_facets(net, alone)
    for name in {"item", "user"} & set(net.inputs):
        width = kinds if name == "item" else 3 * kinds
        assert (inputs[name][:, -width:].reshape(len(FACETS), -1, kinds)[:, :, -1] == 0).all()
    if "item" in net.inputs:
        assert inputs["item"][0].tolist() == inputs["item"][1].tolist()
        assert inputs["item"][3].tolist() == inputs["item"][4].tolist()
    scores = serve(staged_once(net.name), inputs)
    assert ((scores > 0) & (scores < 1)).all()


def test_no_rows_give_no_scores(net: Net, lessons: Callable[[str], Any], staged_once: Callable[[str], Path]) -> None:
    rows = {name: lessons(net.name).validation.inputs[name][:0] for name in net.inputs}
    assert serve(staged_once(net.name), rows).shape == (0, 1)


def test_the_graph_has_no_lookup_tables(net: Net, staged_once: Callable[[str], Path]) -> None:
    folder = staged_once(net.name)
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        v1.saved_model.load(session, ["serve"], str(folder))
        kinds = {op.type for op in graph.get_operations()}
    assert not {kind for kind in kinds if "Table" in kind}


def test_warm_up_requests_are_of_1_and_128_rows(net: Net, staged_once: Callable[[str], Path]) -> None:
    requests = promotion_gate.warm_up_feeds(staged_once(net.name), net.name)
    rows = [(name, len(next(iter(feed.values())))) for name, feed in requests]
    towers = [("user_vector", 1)] if net.towers else []
    assert rows == [("serving_default", 1), ("serving_default", 128), *towers]


def test_golden_rows_are_what_rest_takes(net: Net, staged_once: Callable[[str], Path]) -> None:
    for row in read_manifest(staged_once(net.name)).golden:
        for name, value in row.inputs.items():
            assert isinstance(value, int if name in ID_INPUTS else list)


def test_its_weights_have_the_same_names_each_time_it_is_built(any_net: Net, context: NetContext) -> None:
    one, other = ([each.path for each in any_net.build(context).weights] for _ in range(2))
    assert one == other
    assert len(one) == len(set(one))


def test_what_a_net_learns_from_is_known_without_importing_it(any_net: Net) -> None:
    assert nets.lessons_of(any_net.name) == any_net.learns


def test_those_that_are_alike_learn_from_the_same_lessons() -> None:
    for name, other in ALIKE.items():
        assert other not in ALIKE
        assert (nets.find(name).learns == ROWS) == (nets.find(other).learns == ROWS)


def test_the_apis_process_scores_as_the_session_does(
    net: Net, lessons: Callable[[str], Any], staged_once: Callable[[str], Path]
) -> None:
    """One row of the user, 500 candidates, unknown ids among them."""
    folder = staged_once(net.name)
    manifest = read_manifest(folder)
    assert manifest.onnx is not None
    lesson = lessons(net.name).train.inputs
    copies = {name: np.resize(lesson[name], (500, *lesson[name].shape[1:])) for name in net.inputs}
    copies["movieId"][:4] = (0, 11, 2**63 - 1, -(2**63))
    one_user = {name: rows[:1] if name in OF_USER else rows for name, rows in copies.items()}
    scores = LocalSession(folder / manifest.onnx, OUTPUT).scores(one_user, 500)
    assert scores == pytest.approx(serve(folder, one_user)[:, 0], abs=1e-5)
    assert scores.std() > 1e-4


def test_the_onnx_graph_of_fusion_neither_copies_a_history_nor_searches(staged_once: Callable[[str], Path]) -> None:
    """Ids are looked up in tables, ONNX Runtime joins each layer norm into one step, and a Gelu is one."""
    graph = onnx.load(staged_once("fusion") / "assets.extra" / "in_process.onnx").graph
    kinds = Counter(node.op_type for node in graph.node)
    assert not {"Unique", "Expand", "Tile"} & set(kinds)
    assert kinds["LabelEncoder"] == 2
    assert kinds["Pow"] == 5
    assert (kinds["Gelu"], kinds["Erf"]) == (3, 0)
