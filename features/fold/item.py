"""The fold of items: what a contribution changes in its item's features, in whatever order contributions come."""

from features.fold.state import DAYS, ItemFeatures, count_event
from features.schema.tables import Schema
from features.types import IMPRESSION, RATING, Contribution, Impressions
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
    bucket = _bucket(features.days, DAYS, ts // DAY_MS)
    bucket[1] += impression
    bucket[2] += click
    bucket[3] += sign - impression
    bucket[4] += positive
    return features


def fold_impressions(features: ItemFeatures, impressions: Impressions) -> None:
    """Add impressions of one day to their item (changed in place): as `fold_item` adds each of them by itself, to the byte. An
    impression has neither weight nor value in any schema, so their number and their times say all."""
    _, count, oldest, newest = impressions
    if oldest < features.first_ts or not features.n:
        features.first_ts = oldest
    if newest > features.last_ts:
        features.last_ts = newest
    features.n += count
    features.counts[IMPRESSION] += count
    _bucket(features.days, DAYS, oldest // DAY_MS)[1] += count


def _bucket(buckets: list[list[int]], limit: int, number: int) -> list[int]:
    """Returns the bucket of that number, to be added to. What is older than the newest `limit` buckets is dropped, whenever it
    comes: its bucket is none of them."""
    if buckets and buckets[-1][0] == number:
        return buckets[-1]
    at = len(buckets)
    while at and buckets[at - 1][0] > number:
        at -= 1
    if at and buckets[at - 1][0] == number:
        return buckets[at - 1]
    bucket = [number, 0, 0, 0, 0]
    if at or len(buckets) < limit:
        buckets.insert(at, bucket)
        if len(buckets) > limit:
            del buckets[0]
    return bucket
