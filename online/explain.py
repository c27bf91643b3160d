"""Why a list is as it is: channels with places, every stage's score and rank, features with values and ages, rules hit."""

from typing import Any

import numpy as np

from features.arrays import FloatArray
from features.inputs import CROSS_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, tastes
from features.signals import SIGNAL_COLUMNS
from online.query import Query
from online.recommend import Recommendation
from online.rerank import by_score

DIGITS = 6


def explain_list(answer: Recommendation) -> dict[str, Any]:
    """What holds for the whole list: the stages, the user's features as they were used, and how old they are."""
    ranked, moment = answer.ranked, _query(answer).moment
    user = moment.user
    out: dict[str, Any] = {
        "stages": {
            "allowed": int(moment.allowed.sum()),
            "recalled": len(ranked.item_ids),
            "by_channel": {
                name: int((ranked.found.found_by >> bit & 1).sum()) for bit, name in enumerate(ranked.found.names)
            },
            "ranked_by": list(ranked.by_model) or ["recall"],
        },
        "arms": dict(answer.arms),
        "user": {
            "n": answer.n,
            "age_ms": answer.at - user.last_ts if user.last_ts else None,
            "newest": [
                {"item_id": item_id, "age_ms": answer.at - ts} for item_id, ts, *_ in reversed(user.recent[-10:])
            ],
            "tastes": _tastes(answer),
        },
    }
    if ranked.features is not None:
        out["user"]["features"] = _named(USER_COLUMNS, ranked.features.user[0])
    return out


def _query(answer: Recommendation) -> Query:
    if answer.ranked.query is None:
        raise ValueError("the list was not asked for with `explain`")
    return answer.ranked.query


def explain_items(answer: Recommendation) -> list[dict[str, Any]]:
    """For each shown item, in the list's order: what found it, its scores and ranks by stage, its features, what moved it."""
    ranked = answer.ranked
    query = _query(answer)
    ranks = {
        name: np.argsort(by_score(ranked.item_ids, scores))
        for name, scores in {**ranked.by_model, "list": ranked.scores}.items()
    }
    out = []
    for position, item in enumerate(answer.items):
        row = int(ranked.found.rows[item.place])
        entry: dict[str, Any] = {
            "recalled_at": item.place,
            "channels": {
                name: {"place": int(np.flatnonzero(order == row)[0]), **_strength(query, name, row)}
                for name, order in query.orders.items()
                if name in item.channels
            },
            "models": {
                name: {"score": float(scores[item.place]), "rank": int(ranks[name][item.place])}
                for name, scores in ranked.by_model.items()
            },
            "rank": int(ranks["list"][item.place]),
            "shown_at": position,
            "propensity": item.propensity,
            "rules": ranked.listed.rules.get(item.place, []),
        }
        if ranked.features is not None:
            raw = ranked.features
            entry["features"] = _named(ITEM_COLUMNS, raw.items[position])
            if raw.cross is not None:
                entry["features"] |= _named(CROSS_COLUMNS, raw.cross[position])
            if raw.signals is not None:
                entry["signals"] = _named(SIGNAL_COLUMNS, raw.signals[position])
        out.append(entry)
    return out


def _strength(query: Query, name: str, row: int) -> dict[str, float]:
    """How strongly a channel found a row, where it says so."""
    if name in query.signals.strengths:
        return {"strength": round(float(query.signals.strengths[name][row]), DIGITS)}
    if name in query.found:
        rows, products = query.found[name]
        return {"strength": round(float(products[rows == row][0]), DIGITS)}
    return {}


def _named(names: tuple[str, ...], values: FloatArray) -> dict[str, float]:
    return {name: round(float(value), DIGITS) for name, value in zip(names, values, strict=False)}


def _tastes(answer: Recommendation) -> dict[str, dict[str, float]]:
    moment = _query(answer).moment
    liking = tastes(moment.user, moment.at, moment.items.genres, moment.weights)
    return {
        genre: _named(("hour", "day", "weeks"), liking[:, at])
        for at, genre in enumerate(moment.items.genres)
        if np.abs(liking[:, at]).sum() > 0
    }
