"""Training: the same twice, stopped in time, and loud when it diverges."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from features.errors import Broken
from models import nets
from models.nets.parts.net import UNKNOWN_ID
from models.training.runtime import import_tensorflow

import_tensorflow()

from models.training.fitting.fit_rows import drop_ids, fit  # noqa: E402

pytestmark = pytest.mark.keras


def test_the_same_seed_gives_the_same_model(samples: Any, fitted: Callable[[str], Any]) -> None:
    again = fit(nets.find("neuralcf"), samples, epochs=1, seed=3)
    for one, other in zip(fitted("neuralcf").model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_diverging_training_is_an_error(samples: Any) -> None:
    net = replace(nets.find("neuralcf"), learning_rate=float("nan"), batch_size=256)
    with pytest.raises(Broken, match="training of neuralcf diverged: loss nan after 512 rows; nothing was published"):
        fit(net, samples, epochs=1, seed=3)


def test_it_stops_when_validation_gets_no_better_and_keeps_the_best(samples: Any) -> None:
    net = replace(nets.find("neuralcf"), learning_rate=0.05, batch_size=128)
    done = fit(net, samples, epochs=30, seed=3)
    values = [epoch.metrics["auc"] for epoch in done.epochs]
    assert len(values) < 30
    assert values[-1] <= max(values[:-1])


def test_who_is_new_in_validation_is_unknown(samples: Any, fitted: Callable[[str], Any]) -> None:
    known = set(fitted("neuralcf").context.user_ids.tolist())
    assert known == set(samples.train.inputs["userId"].tolist())


def test_a_share_of_ids_is_dropped(samples: Any) -> None:
    net = replace(nets.find("neuralcf"), id_dropout={"userId": 0.25})
    batch = samples.train.inputs
    dropped = drop_ids(net, batch, np.random.default_rng(0))
    assert 0.2 < np.mean(dropped["userId"] == UNKNOWN_ID) < 0.3
    assert np.array_equal(dropped["movieId"], batch["movieId"])
    assert not np.any(batch["userId"] == UNKNOWN_ID)


def test_every_step_is_told(samples: Any) -> None:
    calls = []
    fit(replace(nets.find("neuralcf"), batch_size=1024), samples, 1, 3, lambda *args: calls.append(args))
    assert [(epoch, rows) for epoch, rows, _ in calls] == [(1, 1024), (1, 2048), (1, 2700)]
