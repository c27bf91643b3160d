"""Learning from sequences and lists: vocabulary, places, calibration, and that the net uses what it is told."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import Broken
from features.inputs.history import LENGTH
from models import nets
from models.training.runtime import import_tensorflow

import_tensorflow()

from models.training.fitting.fit_lists import fit_on_lists  # noqa: E402
from models.training.fitting.fit_sequences import indexed  # noqa: E402
from models.training.lessons.list_data import NO_CANDIDATE, Lists, read_ranking_lists  # noqa: E402
from models.training.lessons.sequence_windows import WindowedHistories  # noqa: E402
from models.training.list_metrics import fit_logistic, rank_metrics, ranks_of  # noqa: E402
from tests.effort import SMALL  # noqa: E402
from tests.models.synthetic_histories import histories  # noqa: E402
from tests.models.synthetic_lists import write_ranking_lists  # noqa: E402

pytestmark = pytest.mark.keras


def test_an_item_out_of_the_vocabulary_weighs_nothing() -> None:
    data = indexed(
        WindowedHistories(histories(5), 10**9, 10**9).drawn(np.random.default_rng(1)), np.array([100, 101, 103, 104])
    )
    assert data.following.max() == 4
    assert (data.weights[data.following == 0] == 0).all()
    assert (data.weights > 0).sum() == 4


def a_list(items: list[list[int]], answers: list[int]) -> Lists:
    n = len(items)
    empty = np.zeros((n, LENGTH), np.int64)
    signals = np.zeros((n, len(items[0]), 2), np.float32)
    numbers = np.arange(n)
    columns, ones = np.zeros((n, 3), np.float32), np.ones(n, np.float32)
    answered = np.array(answers), np.array(items)
    return Lists(numbers, numbers, numbers, *answered, empty, empty, empty, signals, columns, ones)


def test_the_place_is_among_the_candidates_alone_ties_by_id() -> None:
    lists = a_list([[5, 9, 7], [4, 2, NO_CANDIDATE], [1, 2, 3]], [2, 0, 1])
    scores = np.array([[0.1, 0.5, 0.3], [0.5, 0.5, 9.0], [0.2, 0.9, 0.1]])
    assert ranks_of(lists, scores).tolist() == [1, 1, 0]
    assert rank_metrics(np.array([1, 1, 0])) == {"hr10": 1.0, "ndcg10": 0.753953, "mrr10": 0.666667}


@pytest.mark.parametrize(("size", "middle"), [(1.0, 0.0), (1e-3, 0.0), (80.0, -300.0)])
def test_calibration_finds_the_share_of_positives_whatever_the_size_of_scores(size: float, middle: float) -> None:
    rng = np.random.default_rng(3)
    plain = rng.normal(size=40_000)
    labels = (rng.random(40_000) < 1 / (1 + np.exp(-(2 * plain - 6)))).astype(float)
    scale, shift = fit_logistic(plain * size + middle, labels)
    assert (scale * size, shift + scale * middle) == pytest.approx((2, -6), abs=0.3)


def test_scores_that_rank_backwards_are_not_turned_around() -> None:
    scores = np.linspace(-1, 1, 100)
    scale, _ = fit_logistic(scores, (scores < 0).astype(float))
    assert scale > 0


def test_fusion_ranks_by_what_follows_and_by_the_signals(ranking_lists: Any) -> None:
    done = fit_on_lists(nets.find("fusion"), ranking_lists, seed=3)
    metrics = done.metrics
    random_mrr = np.mean(1 / (ranking_lists.validation_lists.items != NO_CANDIDATE).sum(1))
    assert metrics["mrr10"] > 0.5 > 3 * random_mrr
    assert metrics["log_loss"] < 0.27  # 1 of 13: 0.27 for a constant
    rows = {name: values[:50] for name, values in ranking_lists.validation.inputs.items()}
    past = done.model({name: rows[name] for name in nets.find("fusion").inputs}).numpy()
    changed = {**rows, "signals": np.ascontiguousarray(rows["signals"][:, ::-1])}
    assert np.abs(done.model({name: changed[name] for name in nets.find("fusion").inputs}).numpy() - past).max() > 1e-3


@pytest.mark.soak
def test_sasrec_knows_what_comes_next(ranking_lists: Any) -> None:
    assert fit_on_lists(nets.find("sasrec"), ranking_lists, seed=3).metrics["mrr10"] > 0.5


@pytest.mark.soak
def test_the_same_seed_gives_the_same_model(ranking_lists: Any, fitted: Callable[[str], Any]) -> None:
    again = fit_on_lists(nets.find("fusion"), ranking_lists, seed=3, effort=SMALL)
    for one, other in zip(fitted("fusion").model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.soak
def test_a_diverging_training_is_an_error(ranking_lists: Any) -> None:
    net = replace(nets.find("fusion"), learning_rate=float("nan"))
    with pytest.raises(Broken, match="training of fusion diverged: loss nan"):
        fit_on_lists(net, ranking_lists, seed=3, effort=replace(SMALL, sequence=0))


def test_too_few_asks_are_refused(tmp_path: Path) -> None:
    write_ranking_lists(tmp_path, users=2, events=3)
    with pytest.raises(Broken, match=r"has \d asks: expected at least 8"):
        read_ranking_lists(tmp_path)
