"""Without a model the channels' ranks are weighed together, and those that know nothing of the user do not outvote the others."""

import numpy as np
import pytest

from features.arrays import IntArray
from online.ranking.without_model import CONSTANT, WEIGHTS, fallback_scores
from online.recall import CHANNELS


def rows(*values: int) -> IntArray:
    return np.array(values, np.int64)


def test_what_more_channels_found_comes_first_then_what_stood_higher() -> None:
    scores = fallback_scores(rows(0, 1, 2, 3), {"ease": rows(0, 2, 1), "session": rows(2, 3)})
    assert np.argsort(-scores).tolist() == [2, 0, 3, 1]


def test_a_score_is_the_share_of_what_the_first_of_every_channel_has() -> None:
    orders = {"session": rows(5, 7), "popular": rows(7, 5)}
    scores = fallback_scores(rows(5, 7, 9), orders)
    second, popular = (CONSTANT + 1) / (CONSTANT + 2), WEIGHTS["popular"]
    assert scores.tolist() == pytest.approx(
        [(1 + popular * second) / (1 + popular), (second + popular) / (1 + popular), 0.0]
    )
    assert fallback_scores(rows(5), {"session": rows(5), "popular": rows(5)}).tolist() == pytest.approx([1.0])


def test_all_channels_of_everybody_together_do_not_outvote_one_of_the_users() -> None:
    """Nor do they with those that go by what the user knows already."""
    everybody = {name: rows(1) for name in WEIGHTS if name != "segments"}
    scores = fallback_scores(rows(1, 2), everybody | {"session": rows(2)})
    assert scores[0] < scores[1]


def test_what_users_of_the_same_attributes_like_comes_before_what_everybody_likes() -> None:
    everybody = {name: rows(1, 2, 3) for name in ("popular_day", "popular", "trending", "newest")}
    scores = fallback_scores(rows(1, 2, 3, 4), everybody | {"segments": rows(4, 3)})
    assert np.argsort(-scores).tolist() == [2, 3, 0, 1]


def test_without_channels_or_candidates_there_is_nothing_to_order() -> None:
    assert fallback_scores(rows(), {}).tolist() == []
    assert fallback_scores(rows(), {"session": rows()}).tolist() == []
    assert fallback_scores(rows(3, 4), {"pinned": rows()}).tolist() == [0.0, 0.0]


def test_a_channel_that_weighs_less_is_one() -> None:
    assert set(WEIGHTS) < {channel.name for channel in CHANNELS}
