"""Dead: nothing reads this. It leaves with the fold's next version, and with it the buckets `hours` and `fives` of items.

What would be read from an item's buckets as of a time: rates in sliding windows, popularity, trend. (What ranks is read from
`days`, by `features.inputs.columns`.)

Readers, not states: the fold stores sums alone, which any order and any merge leaves right; these may change without a new
generation.
"""

import math
from typing import Final

from features.fold.decay import HALF_LIVES
from features.fold.item import FIVE_MS
from features.fold.state import ItemFeatures
from features.types import Millis
from features.units import DAY_MS, HOUR_MS

WINDOWS: Final = {"1h": HOUR_MS, "1d": DAY_MS, "7d": 7 * DAY_MS}
PRIOR_CTR: Final = 0.05
PRIOR_WEIGHT: Final = 20.0
"""A click rate is smoothed as if 20 impressions with a rate of 5 % had been seen before (a Beta prior)."""
_IMPRESSIONS, _CLICKS, _EVENTS = 1, 2, 3


def _buckets(features: ItemFeatures, length: Millis) -> tuple[Millis, list[list[int]]]:
    """The finest buckets that still cover a span of `length`."""
    if length <= HOUR_MS:
        return FIVE_MS, features.fives
    return (HOUR_MS, features.hours) if length <= DAY_MS else (DAY_MS, features.days)


def in_window(features: ItemFeatures, window: Millis, at: Millis) -> tuple[int, int, int]:
    """(impressions, clicks, events) in the `window` ms up to `at`, to a bucket's precision (5 min, 1 h, 1 d)."""
    size, buckets = _buckets(features, window)
    newest = at // size
    oldest = newest - window // size
    inside = [bucket for bucket in buckets if oldest < bucket[0] <= newest]
    return (
        sum(bucket[_IMPRESSIONS] for bucket in inside),
        sum(bucket[_CLICKS] for bucket in inside),
        sum(bucket[_EVENTS] for bucket in inside),
    )


def smoothed_ctr(features: ItemFeatures, window: Millis, at: Millis) -> float:
    """Clicks and views over impressions in the `window` ms up to `at`, smoothed towards 5 %."""
    impressions, clicks, _ = in_window(features, window, at)
    return (clicks + PRIOR_CTR * PRIOR_WEIGHT) / (impressions + PRIOR_WEIGHT)


def popularity(features: ItemFeatures, half_life: Millis, at: Millis) -> float:
    """Events, each counted 2^(−age / half-life) as of `at`; ages to the precision of the buckets that cover eight half-lives.
    An `at` before an event's time does not decay it."""
    size, buckets = _buckets(features, 8 * half_life)
    return sum(
        bucket[_EVENTS] * math.exp2(-max(0, at - bucket[0] * size - size // 2) / half_life) for bucket in buckets
    )


def trending(features: ItemFeatures, at: Millis) -> float:
    """The pace of an item relative to its usual one: the rate with a half-life of an hour over that of 14 days, in log2; 0 for
    an item at its usual pace, and small counts pull towards 0."""

    short, long = HALF_LIVES[0], HALF_LIVES[-1]
    usual = popularity(features, long, at) * short / long
    return math.log2((popularity(features, short, at) + 1) / (usual + 1))
