"""The fold of items: the same in whatever order contributions come, bounded, and right in every bucket."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from features.fold.impressions import merge_impressions
from features.fold.item import fold_impressions, fold_item
from features.fold.state import DAYS, ItemFeatures, decode_item, encode_features
from features.types import CLICK, IMPRESSION, LIKE, RATING, VIEW, Contribution
from features.units import DAY_MS
from tests.features.strategies import contributions
from tests.schemas import MOVIES, added


def fold(given_ones: list[Contribution]) -> ItemFeatures:
    features = ItemFeatures(3)
    for each in given_ones:
        features = fold_item(features, each, MOVIES)
    return features


@given(contributions(), st.randoms(use_true_random=False))
def test_the_order_of_contributions_does_not_matter(given_ones: list[Contribution], rng: random.Random) -> None:
    shuffled = given_ones.copy()
    rng.shuffle(shuffled)
    assert encode_features(fold(given_ones)) == encode_features(fold(shuffled))


@given(contributions(), st.integers(1, 4), st.integers(1, 20), st.booleans())
def test_impressions_of_a_day_at_once_are_the_same_bytes_as_one_by_one(
    given_ones: list[Contribution], acts: int, together: int, early: bool
) -> None:
    """Whatever comes in between, however many are merged, and before 1970 too. One in `acts` stays what it was, the others become
    impressions."""
    for at, each in enumerate(given_ones):
        ts = each.ts - 40 * DAY_MS * early
        given_ones[at] = each._replace(ts=ts) if at % acts == 0 else Contribution(3, ts, IMPRESSION, 0, each.sign)
    features = ItemFeatures(3)
    for start in range(0, len(given_ones), together):
        some = given_ones[start : start + together]
        seen = [each for each in some if each.kind == IMPRESSION and each.sign > 0]
        for impressions in merge_impressions((each.ts, (3,)) for each in seen):
            fold_impressions(features, impressions)
        for each in some:
            if each not in seen:
                fold_item(features, each, MOVIES)
    assert encode_features(features) == encode_features(fold(given_ones))


def spread(count: int) -> list[Contribution]:
    """More days than are kept."""
    return [Contribution(3, at * DAY_MS + at, RATING, 450, 1) for at in range(count)]


def test_the_limits_of_buckets_do_not_depend_on_order_either() -> None:
    given_ones = spread(100)
    forwards, backwards = fold(given_ones), fold(given_ones[::-1])
    mixed = given_ones.copy()
    random.Random(5).shuffle(mixed)
    assert encode_features(forwards) == encode_features(backwards) == encode_features(fold(mixed))
    assert len(forwards.days) == DAYS
    assert [bucket[0] for bucket in forwards.days] == list(range(100 - DAYS, 100))


@given(contributions())
def test_buckets_are_the_newest_and_hold_what_fell_into_them(given_ones: list[Contribution]) -> None:
    features = fold(given_ones)
    numbers = sorted({each.ts // DAY_MS for each in given_ones})[-DAYS:]
    assert [bucket[0] for bucket in features.days] == numbers
    for number, *sums in features.days:
        inside = [each for each in given_ones if each.ts // DAY_MS == number]
        assert sums == [
            sum(each.sign for each in inside if each.kind == IMPRESSION),
            sum(each.sign for each in inside if each.kind in (CLICK, VIEW)),
            sum(each.sign for each in inside if each.kind != IMPRESSION),
            sum(each.sign for each in inside if MOVIES.weight(each.kind, each.centi) > 0),
        ]


@given(contributions())
def test_totals_are_sums(given_ones: list[Contribution]) -> None:
    features = fold(given_ones)
    counts: Counter[int] = Counter()
    for each in given_ones:
        counts[each.kind] += each.sign
    assert features.n == len(given_ones)
    assert features.counts == [counts[kind] for kind in range(8)]
    assert features.rating_sum == sum(each.sign * each.centi for each in given_ones if each.kind == RATING)
    assert features.rating_sq == sum(each.sign * each.centi**2 for each in given_ones if each.kind == RATING)
    times = [each.ts for each in given_ones]
    assert (features.first_ts, features.last_ts) == ((min(times), max(times)) if times else (0, 0))


@given(contributions())
def test_what_is_taken_back_leaves_no_sum(given_ones: list[Contribution]) -> None:
    """Only n, the times and which buckets there are tell of it."""
    both = [*given_ones, *(each._replace(sign=-each.sign) for each in given_ones)]
    features = fold(both)
    assert features.n == len(both)
    assert set(features.counts) == {0}
    assert (features.rating_sum, features.rating_sq, features.positives, features.negatives) == (0, 0, 0, 0)
    assert all(bucket[1:] == [0, 0, 0, 0] for bucket in features.days)


def test_an_item_at_its_largest_is_below_2_kb() -> None:
    features = ItemFeatures(item_id := 2**63 - 1)
    for number in range(20_000):
        ts = 4_000_000_000_000 + number * DAY_MS // 8
        fold_item(features, added(item_id, ts, (LIKE, CLICK, IMPRESSION, VIEW)[number % 4], 0, 1), MOVIES)
    for bucket in features.days:
        bucket[1:] = [2**31] * 4
    data = encode_features(features)
    assert len(data) <= 2 * 1024
    assert decode_item(data) == features
