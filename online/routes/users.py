"""GET /v1/users/{id}: a user's features and history. PUT /v1/users/{id}: the user's attributes."""

from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter, Depends, Response
from msgspec import UNSET, UnsetType

from features.contracts.events import Name, UserFields, Whole, Wire
from features.contracts.json_contract import refusal
from features.errors import BadEvent
from features.ids import OuterId
from features.inputs.columns import Tastes, fades, tastes
from features.types import PROFILE, RATING
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.http.problems import field_faults
from online.routes.events import Accepted, append_events, complete_event
from online.routes.parameters import IdPath, read_path_id
from online.server import Server, body_of, server_of
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
    """A user's attributes, features and history, the newest event first. `live`: they were read from Redis, not from the base."""

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
    attributes: UserFields
    session: Session
    activity: ByHorizon
    sequence: list[OuterId]
    tastes: dict[str, ByHorizon]
    weights: dict[str, TasteWeight]
    history: list[PastEvent]


class Profile(msgspec.Struct, forbid_unknown_fields=True):
    """All attributes of a user, by the names of the schema; those of before are replaced."""

    attributes: UserFields
    event_id: Name | UnsetType = UNSET
    ts: Whole | UnsetType = UNSET


_decode_profile = msgspec.json.Decoder(Profile).decode


@router.put("/v1/users/{user_id}", status_code=202)
@contract(Accepted, status=202, body=Profile, problems=(503,))
async def put_user(
    server: Annotated[Server, Depends(server_of)], user_id: IdPath, body: Annotated[bytes, Depends(body_of)]
) -> Response:
    """Set all attributes of a user, {} for none: an event `profile` in the user's place in the log, with all that holds for
    events. 202 once the broker has acknowledged it; a 503 may have written it, and sending its event_id again is safe."""
    number, outer = read_path_id(server, "user_id", user_id)
    with field_faults():
        given = _read_profile(body)
        if not server.schema.users:
            raise BadEvent("attributes", "no attributes: the schema of this home has no [users]", "some")
        kind = server.schema.kind(PROFILE).name
        wire = Wire(kind, outer or number, given.event_id, given.ts, attributes=given.attributes)
        event = complete_event(wire, server)
    return await append_events([event], server)


def _read_profile(body: bytes) -> Profile:
    try:
        return _decode_profile(body)
    except msgspec.DecodeError as error:
        raise refusal(error, "body") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise BadEvent("body", "a JSON object in UTF-8", str(error)[:100]) from error


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
        attributes=schema.users.read(features.attributes),
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
