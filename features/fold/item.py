"""The fold of items: what a contribution changes in its item's features, in whatever order contributions come."""

from features.fold.state import DAYS, ItemFeatures, count_event
from features.schema.tables import Schema
from features.types import IMPRESSION, RATING, Contribution
from features.units import DAY_MS


def fold_item(features: ItemFeatures, contribution: Contribution, schema: Schema) -> ItemFeatures:
    """Add one contribution to its item (changed in place). The result does not depend on the order of contributions."""
    _, ts, kind, centi, sign, weight, _, _, item = contribution
    if item:
        features.item_id = item
    features.first_ts = ts if features.n == 0 else min(features.first_ts, ts)
    features.last_ts = max(features.last_ts, ts)
    features.n += 1
    count_event(features.counts, kind, sign)
    if kind == RATING:
        features.rating_sum += sign * centi
        features.rating_sq += sign * centi * centi
    positive = sign * weight if weight > 0 else 0
    features.positives += positive
    if weight < 0:
        features.negatives -= sign * weight
    impression = sign if kind == IMPRESSION else 0
    click = sign if schema.kind(kind).click else 0
    _touch(features.days, DAYS, ts // DAY_MS, impression, click, sign - impression, positive)
    return features


def _touch(
    buckets: list[list[int]], limit: int, number: int, impressions: int, clicks: int, events: int, positives: int
) -> None:
    """Add to the bucket of that number. What is older than the newest `limit` buckets is dropped, whenever it comes."""
    at = len(buckets)
    while at and buckets[at - 1][0] > number:
        at -= 1
    if at and buckets[at - 1][0] == number:
        bucket = buckets[at - 1]
    elif at == 0 and len(buckets) >= limit:
        return
    else:
        bucket = [number, 0, 0, 0, 0]
        buckets.insert(at, bucket)
        if len(buckets) > limit:
            del buckets[0]
    bucket[1] += impressions
    bucket[2] += clicks
    bucket[3] += events
    bucket[4] += positives
