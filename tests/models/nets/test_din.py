"""DIN's attention, computed in parts, against the paper's: one layer over event, candidate, difference and product."""

import numpy as np
import pytest

from features.inputs.history import LENGTH
from models.training.runtime import import_tensorflow

import_tensorflow()

from models.nets.din import Attention  # noqa: E402
from models.nets.parts.history_vectors import WIDTH  # noqa: E402

pytestmark = pytest.mark.keras


def test_parts_give_what_one_layer_over_all_four_gives() -> None:
    rng = np.random.default_rng(5)
    events = rng.normal(size=(2, LENGTH, WIDTH)).astype(np.float32)
    present = (rng.random((2, LENGTH)) > 0.3).astype(np.float32)
    whose = np.array([0, 1, 1, 0, 1])
    candidate = rng.normal(size=(5, WIDTH)).astype(np.float32)
    layer = Attention(seed=3)
    found = layer(events, present, whose, candidate).numpy()
    layer.bias.assign(rng.normal(size=layer.bias.shape))
    moved = layer(events, present, whose, candidate).numpy()
    assert not np.allclose(found, moved)

    mine, same = events[whose], np.repeat(candidate[:, None], LENGTH, axis=1)
    compared = np.concatenate([mine, same, mine - same, mine * same], axis=2)
    first = np.maximum(compared @ layer.compares.numpy() + layer.bias.numpy(), 0)
    second = np.maximum(first @ layer.hidden.kernel.numpy() + layer.hidden.bias.numpy(), 0)
    weights = (second @ layer.weight.kernel.numpy() + layer.weight.bias.numpy())[..., 0] * present[whose]
    assert moved == pytest.approx((weights[..., None] * mine).sum(axis=1), abs=1e-4)
