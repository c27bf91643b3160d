"""GET /v1/users/{id}: a user's features and history."""

from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter, Depends

from features.ids import OuterId
from features.inputs.columns import Tastes, fades, tastes
from features.types import RATING
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.routes.parameters import IdPath, read_path_id
from online.server import Server, server_of
from online.stores.item_store import ItemStore
from online.stores.user_store import LiveUser

router = APIRouter()


class Session(msgspec.Struct, frozen=True):
    """The current session; `gap_ms`: the silence before it."""

    start_ts: int
    last_ts: int
    events: int
    clicks: int
    gap_ms: int


class ByHorizon(msgspec.Struct, frozen=True):
    """One quantity that fades within an hour, a day or two weeks."""

    hour: float
    day: float
    weeks: float


class TasteWeight(msgspec.Struct, frozen=True):
    """When a genre was last liked, and how much, by horizon."""

    ts: int
    positive: list[float]


class PastEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the user's history."""

    item_id: OuterId
    title: str
    ts: int
    type: str
    rating: float | None
    value: float | None


class UserAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A user's features and history, the newest event first. `live`: they were read from Redis, not from the base."""

    user_id: OuterId
    known: bool
    live: bool
    now: int
    last_event_ts: int | None
    applied_in_ms: int | None
    counts: dict[str, int]
    mean_rating: float | None
    positives: float
    negatives: float
    seen: int
    session: Session
    activity: ByHorizon
    sequence: list[OuterId]
    tastes: dict[str, ByHorizon]
    weights: dict[str, TasteWeight]
    history: list[PastEvent]


@router.get("/v1/users/{user_id}")
@contract(UserAnswer)
async def get_user(server: Annotated[Server, Depends(server_of)], user_id: IdPath) -> JsonResponse:
    """A user's features and history as they are now; a user nobody has heard of has empty ones."""
    number, outer = read_path_id(server, "user_id", user_id)
    user, now = await server.users.load_user(number), server.clock.now()
    liking = tastes(user.features, now, server.weights.value, server.items.index.schema)
    return JsonResponse(_user_answer(outer or number, user, now, liking, server.items))


def _user_answer(outer: OuterId, user: LiveUser, now: int, liking: Tastes, items: ItemStore) -> UserAnswer:
    """liking: the user's tastes at `now`."""
    features = user.features
    fade = fades(features, now)
    start_ts, last_ts, events, clicks = features.session
    schema = items.index.schema
    return UserAnswer(
        user_id=schema.ids.shown(outer),
        known=user.known,
        live=user.live,
        now=now,
        last_event_ts=features.last_ts or None,
        applied_in_ms=user.applied_in_ms,
        counts={name: features.counts[code] for name, code in schema.code_of.items() if code < len(features.counts)},
        mean_rating=_mean(features.rating_sum, features.counts[RATING]),
        positives=features.positives / schema.unit,
        negatives=features.negatives / schema.unit,
        seen=len(user.seen) + len(user.hidden),
        session=Session(start_ts, last_ts, events, clicks, features.gap),
        activity=ByHorizon(*(np.asarray(features.activity) * fade).round(4).tolist()),
        sequence=[items.shown(item_id) for item_id, _ in features.sequence],
        tastes={
            name: ByHorizon(*values.tolist())
            for name, values in zip(liking.names, liking.values.T, strict=True)
            if values.any()
        },
        weights={
            name: TasteWeight(taste[0], np.round(np.asarray(taste[4:7]) * fade, 4).tolist())
            for name, taste in features.tastes.items()
        },
        history=[
            PastEvent(
                item_id=items.shown(item_id),
                title=items.title_of(item_id),
                ts=ts,
                type=schema.kind(kind).name,
                rating=centi / 100 if kind == RATING else None,
                value=centi / 100 if kind != RATING and schema.kind(kind).value else None,
            )
            for item_id, ts, kind, centi in reversed(features.recent)
        ],
    )


def _mean(total: float, count: int) -> float | None:
    return round(total / 100 / count, 3) if count else None
