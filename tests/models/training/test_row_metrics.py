"""Metrics against their definitions, pair by pair."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import IntArray, RealArray
from models.training.row_metrics import auc, calibration_error, gauc, log_loss, measure, popularity_scores, rank_gains

Row = tuple[int, bool, int]
rows = st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 5)), min_size=1, max_size=40)


def by_pairs(rows: list[Row]) -> float:
    pairs = [(p > n) + (p == n) / 2 for _, good, p in rows if good for _, other, n in rows if not other]
    return sum(pairs) / len(pairs) if pairs else math.nan


def arrays(rows: list[Row]) -> tuple[IntArray, RealArray, RealArray]:
    users, labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    return users, labels.astype(np.float32), scores.astype(np.float32)


@given(rows)
def test_auc_is_the_share_of_pairs_in_order(rows: list[Row]) -> None:
    _, labels, scores = arrays(rows)
    assert auc(labels, scores) == pytest.approx(by_pairs(rows), nan_ok=True)


@given(rows)
def test_gauc_weighs_users_by_their_rows(rows: list[Row]) -> None:
    groups = [[row for row in rows if row[0] == user] for user in range(4)]
    known = [(by_pairs(group), len(group)) for group in groups if not math.isnan(by_pairs(group))]
    expected = sum(value * size for value, size in known) / sum(size for _, size in known) if known else math.nan
    assert gauc(*arrays(rows)) == pytest.approx(expected, nan_ok=True)


def test_log_loss() -> None:
    assert log_loss(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(math.log(2))
    assert log_loss(np.array([1.0]), np.array([0.0])) == pytest.approx(-math.log(1e-7))
    assert math.isnan(log_loss(np.zeros(0), np.zeros(0)))


def test_what_is_not_defined_is_left_out() -> None:
    metrics = measure(np.array([1, 1]), np.array([1.0, 1.0]), np.array([0.5, 0.6]), "x_")
    assert metrics.keys() == {"x_log_loss", "x_calibration_error"}


def test_calibration_is_by_bins_of_as_many_rows() -> None:
    scores = np.array([0.9, 0.1, 0.1, 0.9])
    assert calibration_error(np.array([1.0, 0.0, 0.0, 1.0]), scores, bins=2) == pytest.approx(0.1)
    assert calibration_error(np.array([0.0, 1.0, 1.0, 0.0]), scores, bins=2) == pytest.approx(0.9)
    assert calibration_error(np.array([0.0, 1.0, 1.0, 0.0]), scores, bins=1) == pytest.approx(
        0
    )  # one bin sees no order
    assert math.isnan(calibration_error(np.zeros(0), np.zeros(0)))


def test_popularity_draws_rare_items_to_the_mean() -> None:
    items, labels = np.array([1] * 100 + [2]), np.array([1.0] * 100 + [0.0])
    loved, rare, unknown = popularity_scores(items, labels, np.array([1, 2, 3]))
    assert loved > unknown > rare > 0.9
    assert unknown == pytest.approx(100 / 101)


def test_gains_are_those_of_the_rank() -> None:
    worth = rank_gains(np.array([0, 2, 9, 10, 1 << 30]))
    assert worth["hr"].tolist() == [1, 1, 1, 0, 0]
    assert worth["ndcg"] == pytest.approx([1, 0.5, 1 / np.log2(11), 0, 0])
    assert worth["mrr"] == pytest.approx([1, 1 / 3, 0.1, 0, 0])
