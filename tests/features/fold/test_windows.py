"""What is read from an item's buckets: windows to a bucket's precision, smoothed rates, popularity and trend."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.fold.item import FIVE_MS, fold_item
from features.fold.state import FIVES, ItemFeatures
from features.fold.windows import WINDOWS, in_window, popularity, smoothed_ctr, trending
from features.types import CLICK, IMPRESSION, LIKE, VIEW, Contribution
from features.units import DAY_MS, HOUR_MS

NOW = 20_000 * DAY_MS + 13 * HOUR_MS + 7 * 60_000
SIZES = {"1h": FIVE_MS, "1d": HOUR_MS, "7d": DAY_MS}


def item(acts: list[tuple[int, int]]) -> ItemFeatures:
    """From (kind, ts)."""
    features = ItemFeatures(3)
    for kind, ts in acts:
        fold_item(features, Contribution(3, ts, kind, 0, 1))
    return features


@st.composite
def acts(draw: st.DrawFn, within: int = 9 * DAY_MS, spans: int = 60) -> list[tuple[int, int]]:
    """(kind, ts) of an item's acts in so many ms up to NOW, in no more than so many spans of time."""
    times = draw(st.lists(st.integers(NOW - within, NOW), min_size=1, max_size=spans))
    kinds = st.sampled_from([IMPRESSION, CLICK, VIEW, LIKE])
    count = draw(st.integers(1, 60))
    return [(draw(kinds), draw(st.sampled_from(times))) for _ in range(count)]


@st.composite
def around_a_window(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """A window, and acts most of which lie in it; no more buckets than are kept."""
    name = draw(st.sampled_from(list(WINDOWS)))
    return name, draw(acts(WINDOWS[name] * 3 // 2, FIVES))


@given(around_a_window())
def test_a_window_counts_whole_buckets(given_one: tuple[str, list[tuple[int, int]]]) -> None:
    """A window of k buckets up to `at` is the one `at` lies in and the k − 1 before it."""
    name, given_ones = given_one
    window, size = WINDOWS[name], SIZES[name]
    inside = [kind for kind, ts in given_ones if NOW // size - ts // size < window // size]
    assert in_window(item(given_ones), window, NOW) == (
        inside.count(IMPRESSION),
        inside.count(CLICK) + inside.count(VIEW),
        len(inside) - inside.count(IMPRESSION),
    )


def test_what_is_after_the_time_asked_for_is_not_in_the_window() -> None:
    features = item([(CLICK, NOW), (CLICK, NOW + HOUR_MS)])
    assert in_window(features, WINDOWS["1h"], NOW) == (0, 1, 1)
    assert in_window(features, WINDOWS["1d"], NOW + 3 * DAY_MS) == (0, 0, 0)


def test_a_click_rate_is_drawn_towards_five_percent() -> None:
    window = WINDOWS["1d"]
    assert smoothed_ctr(ItemFeatures(3), window, NOW) == pytest.approx(0.05)
    one = item([(IMPRESSION, NOW), (CLICK, NOW)])
    assert smoothed_ctr(one, window, NOW) == pytest.approx((1 + 1) / (1 + 20))
    many = item([(IMPRESSION, NOW)] * 1000 + [(CLICK, NOW)] * 200)
    assert smoothed_ctr(many, window, NOW) == pytest.approx(0.2, abs=0.005)
    assert smoothed_ctr(many, window, NOW + 2 * DAY_MS) == pytest.approx(0.05)


@given(acts(), st.sampled_from([HOUR_MS, DAY_MS]))
def test_popularity_halves_with_its_half_life(given_ones: list[tuple[int, int]], half_life: int) -> None:
    """Whole buckets later, so that only age counts."""
    features = item(given_ones)
    later = NOW + 2 * DAY_MS
    assert popularity(features, half_life, later + half_life) == pytest.approx(
        popularity(features, half_life, later) / 2
    )
    assert (
        popularity(features, half_life, 0)
        == popularity(features, half_life, -5)
        >= popularity(features, half_life, NOW)
    )


def test_popularity_counts_events_but_no_impressions() -> None:
    assert popularity(item([(IMPRESSION, NOW)] * 9), DAY_MS, NOW) == 0
    assert popularity(item([(LIKE, NOW)] * 9), DAY_MS, NOW) == pytest.approx(9, rel=0.05), (
        "an age counts from the middle of its bucket"
    )


def test_a_burst_trends_and_a_steady_pace_does_not() -> None:
    rng = random.Random(4)
    steady = item([(CLICK, NOW - rng.randrange(60 * DAY_MS)) for _ in range(12_000)])
    burst = item([(CLICK, NOW - rng.randrange(14 * DAY_MS)) for _ in range(100)] + [(CLICK, NOW - 60_000)] * 60)
    assert trending(ItemFeatures(3), NOW) == 0
    assert abs(trending(steady, NOW)) < 0.5
    assert trending(burst, NOW) > 3
    assert trending(burst, NOW + DAY_MS) < 0.5


def test_the_last_hour_is_read_to_five_minutes() -> None:
    """NOW is seven minutes past: half an hour ago the clock's hour was another, and 65 minutes ago is over an hour."""
    features = item([(CLICK, NOW - ago * 60_000) for ago in (30, 65)])
    assert in_window(features, WINDOWS["1h"], NOW) == (0, 1, 1)
