"""Impressions: recommendations as records of the topics `shown`, in columns, and `served`, the head."""

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import UNSET, UnsetType

from features.contracts.served import write_head
from features.contracts.shown_lists import Column, Shown, float_column, whole_column
from features.ids import OuterId
from online.ranking.features import RawFeatures
from online.recommend.recommendation import Recommendation


def user_of(answer: Recommendation) -> OuterId:
    """The user's id outside."""
    return answer.user or answer.user_id


def impression_of(answer: Recommendation) -> Shown:
    """The record of a shown list, with its candidates, scores and features."""
    ranked, slate = answer.ranked, answer.ranked.slate
    raw = ranked.features
    return Shown(
        request_id=answer.request_id,
        user_id=user_of(answer),
        ts=answer.ts,
        at=answer.at,
        model=answer.model.name if answer.model else None,
        model_version=answer.model.version if answer.model else None,
        channels=ranked.found.names,
        candidates=(whole_column(ranked.item_ids), whole_column(ranked.found.found_by), float_column(ranked.scores)),
        slate=whole_column(slate.candidate_indices),
        propensity=_unless_all(slate.propensities, 1.0),
        team=tuple(slate.teams.get(index, "") for index in slate.candidate_indices) if slate.teams else UNSET,
        degraded=answer.degraded,
        arms=dict(answer.arms) or UNSET,
        context=dict(answer.context) or UNSET,
        **({} if raw is None else _features(raw)),
    )


def head_of(answer: Recommendation) -> Callable[[int | None], bytes]:
    """The head of a shown list, given the offset of its record, None if that could not be written."""
    return partial(write_head, answer.request_id, user_of(answer), answer.ts, answer.item_ids, answer.arms)


def _features(raw: RawFeatures) -> dict[str, Any]:
    return {
        "layout": raw.layout,
        "user": float_column(raw.user),
        "items": float_column(raw.items),
        "cross": UNSET if raw.cross is None else float_column(raw.cross),
        "signals": UNSET if raw.signals is None else float_column(raw.signals),
        "history": UNSET if raw.history is None else tuple(whole_column(part) for part in raw.history),
    }


def _unless_all(values: list[float], usual: float) -> Column | UnsetType:
    return UNSET if all(value == usual for value in values) else float_column(values)


def weight(answer: Recommendation) -> int:
    """Approximate memory of a recommendation, bytes."""
    ranked = answer.ranked
    arrays = ranked.item_ids.nbytes + ranked.found.rows.nbytes + ranked.found.found_by.nbytes + ranked.scores.nbytes
    arrays += sum(scores.nbytes for scores in ranked.by_model.values())
    return 1000 + 300 * len(answer.item_ids) + arrays + (0 if ranked.features is None else ranked.features.nbytes)
