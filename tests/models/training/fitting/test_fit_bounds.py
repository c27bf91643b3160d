"""What all items' logits come to is learned well enough to stand for them, and then costs what one item costs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from features.inputs.history import LENGTH, NOTHING
from models import nets
from models.nets.parts.net import NetContext
from models.training.lessons.sequence_windows import Windows
from models.training.runtime import import_tensorflow

import_tensorflow()

import tensorflow as tf  # noqa: E402

from models.training.fitting.fit_bounds import fit_bounds  # noqa: E402
from models.training.fitting.fit_rows import input_specs  # noqa: E402

pytestmark = pytest.mark.keras


def exact(encoder: Any, states: Any) -> Any:
    logits = encoder.logits(states).numpy()
    return np.stack([np.log(np.exp(logits).sum(axis=1)), logits.max(axis=1), logits.min(axis=1)], axis=1)


def test_the_bounds_of_a_trained_model_are_near_what_they_stand_for(
    fitted: Callable[[str], Any], lessons: Callable[[str], Any]
) -> None:
    model, lists = fitted("fusion").model, lessons("fusion").validation_lists
    next_item = model.get_layer("next_item")
    states = next_item.encoder(model.get_layer("item_index")(lists.history), lists.marks, lists.gaps, newest=1)[:, 0]
    true = exact(next_item.encoder, states)
    errors = next_item.bounds(states).numpy() - true
    assert (np.sqrt((errors**2).mean(axis=0)) < 0.5 * true.std(axis=0)).all()


@pytest.mark.soak
def test_the_same_seed_gives_the_same_bounds_and_unknown_events_leave_them(fitted: Callable[[str], Any]) -> None:
    context = fitted("fusion").context
    following = np.full((4, LENGTH), context.item_ids[1])
    zeros = np.zeros((4, LENGTH + 1), np.int64)
    windows = Windows(following, zeros[:, 1:], zeros, following, np.ones((4, LENGTH), np.float32))
    found = []
    for _ in range(2):
        next_item = nets.find("fusion").build(context).get_layer("next_item")
        began = [each.numpy() for each in next_item.bounds.weights]
        nothing = np.full((4, LENGTH), NOTHING)
        fit_bounds(next_item, Windows(nothing, zeros[:, 1:], zeros, nothing, windows.weights), context.item_ids, 1, 2)
        assert all((one == other).all() for one, other in zip(began, next_item.bounds.get_weights(), strict=True))
        fit_bounds(next_item, windows, context.item_ids, 1, 2)
        found.append(next_item.bounds.get_weights())
    assert all((one == other).all() for one, other in zip(*found, strict=True))
    assert any((one != other).any() for one, other in zip(began, found[0], strict=True))


@pytest.mark.parametrize("name", ["fusion", "sasrec"])
def test_ranking_computes_nothing_of_every_item(name: str, fitted: Callable[[str], Any]) -> None:
    items, net, widths = 10_007, nets.find(name), fitted("fusion").context.widths
    model = net.build(NetContext(np.unique([0]), np.arange(1, items + 1), widths, 1))
    specs = input_specs(net, widths)
    graph = tf.function(model).get_concrete_function({each: specs[each] for each in net.inputs}).graph
    wide = {
        operation.type
        for function in (graph, *(each.graph for each in graph._functions.values() if hasattr(each, "graph")))
        for operation in function.get_operations()
        for output in operation.outputs
        if output.shape.rank and {items, items + 1} & set(output.shape)
    }
    assert wide == {"ReadVariableOp", "Reshape"}  # weights are found; the vocabulary is searched, seen as one row
