"""Impressions: recommendations as records of the topic `served`."""

from msgspec import UNSET

from features.contracts.served import Served, ServedCandidates, ServedFeatures, ServedItem
from online.ranking.features import RawFeatures
from online.recommend.recommender import Recommendation
from online.support.float32 import to_json_floats


def impression_of(answer: Recommendation) -> Served:
    """The record of a shown list, with its candidates, scores and features."""
    ranked = answer.ranked
    return Served(
        request_id=answer.request_id,
        user_id=answer.user or answer.user_id,
        ts=answer.ts,
        at=answer.at,
        model=answer.model.name if answer.model else None,
        model_version=answer.model.version if answer.model else None,
        items=tuple(
            ServedItem(item.item_id, position, item.score, item.channels, item.propensity, item.team or UNSET)
            for position, item in enumerate(answer.items)
        ),
        candidates=ServedCandidates(
            ranked.found.names, ranked.item_ids.tolist(), ranked.found.found_by.tolist(), to_json_floats(ranked.scores)
        ),
        features=None if ranked.features is None else _features(ranked.features),
        degraded=answer.degraded,
        arms=dict(answer.arms) or UNSET,
        context=dict(answer.context) or UNSET,
    )


def _features(raw: RawFeatures) -> ServedFeatures:
    cross = None if raw.cross is None else to_json_floats(raw.cross)
    history = None
    if raw.history is not None:
        items, marks, gaps = raw.history
        history = (items.tolist(), marks.tolist(), gaps.tolist())
    signals = None if raw.signals is None else to_json_floats(raw.signals)
    return ServedFeatures(raw.layout, to_json_floats(raw.user[0]), to_json_floats(raw.items), cross, history, signals)


def weight(answer: Recommendation) -> int:
    """Approximate memory of a recommendation, bytes."""
    ranked = answer.ranked
    arrays = ranked.item_ids.nbytes + ranked.found.rows.nbytes + ranked.found.found_by.nbytes + ranked.scores.nbytes
    arrays += sum(scores.nbytes for scores in ranked.by_model.values())
    return 1000 + 300 * len(answer.items) + arrays + (0 if ranked.features is None else ranked.features.nbytes)
