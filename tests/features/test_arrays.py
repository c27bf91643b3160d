"""What several parts share: the mean that few ratings hardly move, what counts as an act, and the silence that ends a session."""

import numpy as np
import pytest

from features.arrays import PRIOR_MEAN, smoothed_mean
from features.fold.state import count_acts
from features.types import CLICK, DISLIKE, KINDS
from features.units import DAY_MS, DAY_S, SESSION_GAP_MS, ends_session


def test_a_mean_is_drawn_to_the_prior_and_one_row_gives_what_a_column_gives() -> None:
    totals, counts = np.array([0.0, 5.0, 500.0, -2.0]), np.array([0.0, 1.0, 100.0, -1.0])
    means = smoothed_mean(totals, counts)
    assert means.tolist() == [smoothed_mean(*pair) for pair in zip(totals.tolist(), counts.tolist(), strict=True)]
    assert means[0] == PRIOR_MEAN
    assert means[1] == pytest.approx((3.5 * 5 + 5) / 6)
    assert 4.9 < means[2] < 5
    assert means[3] == pytest.approx((3.5 * 5 - 2) / 5)  # fewer than none counts as none


def test_acts_are_clicks_to_dislikes() -> None:
    counts = [1 << kind for kind in range(len(KINDS))]
    assert count_acts(counts) == sum(1 << kind for kind in range(CLICK, DISLIKE + 1))


def test_a_session_ends_after_more_than_half_an_hour() -> None:
    assert SESSION_GAP_MS == 1_800_000
    assert [ends_session(silence) for silence in (-1, 0, 1_800_000, 1_800_001)] == [False, False, False, True]
    assert (DAY_MS, DAY_S) == (86_400_000, 86_400)
