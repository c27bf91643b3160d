"""Explanations of a list: recall channels and ranks, scores and ranks by stage, features and their ages, rules applied."""

from collections.abc import Callable

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from features.arrays import FloatArray
from features.ids import OuterId
from features.inputs.columns import CROSS_COLUMNS, ITEM_COLUMNS, USER_COLUMNS
from features.inputs.signals import SIGNAL_COLUMNS
from features.recall.score_order import by_score
from features.types import ItemId
from online.query import Query
from online.ranking.features import RawFeatures
from online.recommend.recommendation import Recommendation

DIGITS = 6


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """Items that the list might show, candidates recalled, how many of them each channel found, and what ranked them."""

    allowed: int
    recalled: int
    by_channel: dict[str, int]
    ranked_by: list[str]


class NewestEvent(msgspec.Struct, frozen=True):
    """An event of the user, newest first, and how old it was when the list was made."""

    item_id: OuterId
    age_ms: int


class ExplainedUser(msgspec.Struct, frozen=True, kw_only=True):
    """The user's features as they were used, and how old they are; `features` are there where a model took them."""

    n: int | None
    age_ms: int | None
    newest: list[NewestEvent]
    tastes: dict[str, dict[str, float]]
    features: dict[str, float] | UnsetType = UNSET


class ListExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why the whole list is as it is."""

    stages: Stages
    arms: dict[str, str]
    user: ExplainedUser


class FoundBy(msgspec.Struct, frozen=True, kw_only=True):
    """The item's rank in one recall channel, from 0, and how strongly it was found, where the channel says so."""

    place: int
    strength: float | UnsetType = UNSET


class ModelScore(msgspec.Struct, frozen=True):
    """One model's score of the item, and the item's rank by it, from 0."""

    score: float
    rank: int


class ItemExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item is where it is."""

    recalled_at: int
    channels: dict[str, FoundBy]
    models: dict[str, ModelScore]
    rank: int
    shown_at: int
    propensity: float
    rules: list[str]
    features: dict[str, float] | UnsetType = UNSET
    signals: dict[str, float] | UnsetType = UNSET


def explain_list(answer: Recommendation, shown: Callable[[ItemId], OuterId]) -> ListExplanation:
    """Explain the whole list: the stages, the user's features as they were used, and their age. shown: an item's id as answers
    give it. Raises ValueError for a list
    made without `explain`."""
    ranked, moment = answer.ranked, _query(answer).moment
    user, features = moment.user, ranked.features
    found = ranked.found
    return ListExplanation(
        stages=Stages(
            allowed=int(moment.allowed.sum()),
            recalled=len(ranked.item_ids),
            by_channel={name: int((found.found_by >> bit & 1).sum()) for bit, name in enumerate(found.names)},
            ranked_by=list(ranked.by_model) or ["recall"],
        ),
        arms=dict(answer.arms),
        user=ExplainedUser(
            n=answer.n,
            age_ms=answer.at - user.last_ts if user.last_ts else None,
            newest=[NewestEvent(shown(item_id), answer.at - ts) for item_id, ts, *_ in reversed(user.recent[-10:])],
            tastes=_tastes(answer),
            features=UNSET if features is None else _named(USER_COLUMNS, features.user[0]),
        ),
    )


def _query(answer: Recommendation) -> Query:
    if answer.ranked.query is None:
        raise ValueError("the list was not asked for with `explain`")
    return answer.ranked.query


def explain_items(answer: Recommendation) -> list[ItemExplanation]:
    """Explain each shown item, in the list's order: its channels, scores and ranks by stage, features, and rules."""
    ranked = answer.ranked
    query = _query(answer)
    ranks = {
        name: np.argsort(by_score(ranked.item_ids, scores))
        for name, scores in {**ranked.by_model, "list": ranked.scores}.items()
    }
    out = []
    for position, item in enumerate(answer.items):
        row = int(ranked.found.rows[item.candidate_index])
        features, signals = _item_features(ranked.features, position)
        out.append(
            ItemExplanation(
                recalled_at=item.candidate_index,
                channels={
                    name: FoundBy(place=int(np.flatnonzero(order == row)[0]), strength=_strength(query, name, row))
                    for name, order in query.orders.items()
                    if name in item.channels
                },
                models={
                    name: ModelScore(float(scores[item.candidate_index]), int(ranks[name][item.candidate_index]))
                    for name, scores in ranked.by_model.items()
                },
                rank=int(ranks["list"][item.candidate_index]),
                shown_at=position,
                propensity=item.propensity,
                rules=ranked.slate.rules.get(item.candidate_index, []),
                features=features,
                signals=signals,
            )
        )
    return out


def _item_features(
    raw: RawFeatures | None, position: int
) -> tuple[dict[str, float] | UnsetType, dict[str, float] | UnsetType]:
    """(features, signals) of the item at a position of the list; UNSET where no model took any."""
    if raw is None:
        return UNSET, UNSET
    features = _named(ITEM_COLUMNS, raw.items[position])
    if raw.cross is not None:
        features |= _named(CROSS_COLUMNS, raw.cross[position])
    return features, UNSET if raw.signals is None else _named(SIGNAL_COLUMNS, raw.signals[position])


def _strength(query: Query, name: str, row: int) -> float | UnsetType:
    """A row's strength in a channel; UNSET where the channel has none."""
    if name in query.signals.orders:
        return round(float(query.signals.at(name, np.array([row], np.int64))[0]), DIGITS)
    if name in query.found:
        rows, products = query.found[name]
        return round(float(products[rows == row][0]), DIGITS)
    return UNSET


def _named(names: tuple[str, ...], values: FloatArray) -> dict[str, float]:
    return {name: round(float(value), DIGITS) for name, value in zip(names, values, strict=False)}


def _tastes(answer: Recommendation) -> dict[str, dict[str, float]]:
    moment = _query(answer).moment
    liking = moment.tastes
    return {
        name: _named(("hour", "day", "weeks"), values)
        for name, values in zip(liking.names, liking.values.T, strict=True)
        if values.any()
    }
