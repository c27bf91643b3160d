"""A training that is interrupted ends as it would have without: the same weights, and no epoch twice."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import Broken
from models import nets
from models.training.runtime import import_tensorflow

import_tensorflow()

import tensorflow as tf  # noqa: E402

from models.training.effort import Effort  # noqa: E402
from models.training.fitting.checkpoint import MIN_SECONDS, Resume  # noqa: E402
from models.training.fitting.fit_lists import fit_on_lists  # noqa: E402
from models.training.fitting.fit_rows import Fitted, fit  # noqa: E402
from models.training.lessons.list_data import RankingLists, read_ranking_lists  # noqa: E402
from models.training.lessons.row_data import Samples  # noqa: E402
from tests.models.synthetic_lists import write_ranking_lists  # noqa: E402

pytestmark = pytest.mark.keras


EFFORT = Effort(sequence=3, last=3, going_on=1, lists=4, whole=4, bounds=2)
IN_ENCODER, IN_WEIGHING, AT_LAST = EFFORT.sequence - 1, EFFORT.sequence + 2, EFFORT.sequence + EFFORT.lists + 1
"""Passes after which fusion is stopped: one in each part of its training, in their order."""


class Pulled(Exception):
    """The plug."""


@pytest.fixture
def few_lists(tmp_path: Path) -> Iterator[RankingLists]:
    """Some lists of twenty users. Nothing is traced, which takes longer than so few steps."""
    write_ranking_lists(tmp_path / "asks", users=20)
    tf.config.run_functions_eagerly(True)
    yield read_ranking_lists(tmp_path / "asks")
    tf.config.run_functions_eagerly(False)


def hourly() -> Callable[[], float]:
    """A clock by which every epoch takes an hour."""
    return itertools.count(0, 3600).__next__


def train(name: str, lessons: Any, resume: Resume, stop_at: int | None = None) -> tuple[Fitted, int]:
    """Train, pull the plug in the first step after so many passes over the lessons; the model, and how many passes there were."""
    passes: list[tuple[int, int]] = []

    def progress(epoch: int, done: int, _loss: float) -> None:
        if not passes or done <= passes[-1][1]:
            passes.append((epoch, done))
            if stop_at is not None and len(passes) > stop_at:
                raise Pulled
        passes[-1] = (epoch, done)

    net = nets.find(name)
    if name == "neuralcf":
        fitted = fit(net, lessons, 3, 3, progress, resume=resume)
    else:
        fitted = fit_on_lists(net, lessons, 3, progress, resume=resume, effort=EFFORT)
    return fitted, len(passes)


def test_rows_end_as_they_would_have(samples: Samples, tmp_path: Path) -> None:
    ends_as_it_would_have("neuralcf", samples, [1, 2], tmp_path / "kept" / "x")


@pytest.mark.parametrize(
    ("name", "stops"),
    [("din", [1]), pytest.param("fusion", [IN_ENCODER, IN_WEIGHING, AT_LAST], marks=pytest.mark.soak)],
)
def test_lists_end_as_they_would_have(name: str, stops: list[int], few_lists: RankingLists, tmp_path: Path) -> None:
    ends_as_it_would_have(name, few_lists, stops, tmp_path / "kept" / "x")


def ends_as_it_would_have(name: str, lessons: Samples | RankingLists, stops: list[int], path: Path) -> None:
    whole, passes = train(name, lessons, Resume())
    begun = 0
    for stop in stops:
        with pytest.raises(Pulled):
            train(name, lessons, Resume(path, "k", hourly()), stop - begun)
        begun = stop
    last = Resume(path, "k", hourly())
    resumed, left = train(name, lessons, last)
    assert left == passes - begun
    assert resumed.epochs[-1].number == whole.epochs[-1].number
    assert resumed.metrics == pytest.approx(whole.metrics, abs=1e-4)
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    last.done()
    assert list(path.parent.iterdir()) == []


@pytest.mark.soak
def test_another_training_begins_anew(lessons: Callable[[str], Any], tmp_path: Path) -> None:
    path, data = tmp_path / "x", lessons("neuralcf")
    file = tmp_path / "x.rows.npz"
    with pytest.raises(Pulled):
        train("neuralcf", data, Resume(path, "k", hourly()), 2)
    saved = file.read_bytes()
    whole = train("neuralcf", data, Resume())[1]
    assert train("neuralcf", data, Resume(path, "other", hourly()))[1] == whole
    file.write_bytes(saved)
    assert train("neuralcf", data, Resume(path, "k", hourly()))[1] == whole - 2
    file.write_bytes(saved[:100])
    assert train("neuralcf", data, Resume(path, "k", hourly()))[1] == whole


def test_a_net_that_was_built_otherwise_is_told_and_what_was_kept_goes(
    lessons: Callable[[str], Any], tmp_path: Path
) -> None:
    path = tmp_path / "x"
    with pytest.raises(Pulled):
        train("neuralcf", lessons("neuralcf"), Resume(path, "k", hourly()), 2)
    with pytest.raises(Broken, match="built otherwise, and is removed now"):
        Resume(path, "k").restore("rows", [np.zeros(3)], np.random.default_rng(1), None)
    assert list(tmp_path.iterdir()) == []


def test_a_quick_training_writes_nothing(lessons: Callable[[str], Any], tmp_path: Path) -> None:
    path = tmp_path / "x"
    resume = Resume(path, "k", itertools.count(0, MIN_SECONDS / 10).__next__)
    train("neuralcf", lessons("neuralcf"), resume)
    assert list(tmp_path.iterdir()) == []
