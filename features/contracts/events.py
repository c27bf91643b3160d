"""The event contract: bytes of the log or of a POST ↔ `Event`.

One JSON object an event; unknown fields are ignored, so that new producers can feed an old job. The rules are those of
docs/events.md; every refusal is a `BadEvent` that names the field, what was expected and what came.
"""

import math
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal, NoReturn

import msgspec
from msgspec import UNSET, Meta, UnsetType

from features.contracts.json_contract import read_json, refusal
from features.errors import BadEvent
from features.types import KIND_OF, KINDS, MAX_ID, RATING, UNDO, Event, Millis
from features.units import DAY_MS, MINUTE_MS

FUTURE_SLACK_MS: Final = MINUTE_MS
"""An event may be this far ahead of wall time (the broker's, once it is in the log)."""
CLOCK_SLACK_MS: Final = DAY_MS
"""An event may be this far ahead of the home's clock."""

Id = Annotated[int, Meta(ge=0, le=MAX_ID)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Wire(msgspec.Struct, omit_defaults=True):
    """An event as it stands in JSON."""

    type: Literal["impression", "click", "view", "rating", "like", "dislike", "undo", "forget_user"]
    user_id: Id
    event_id: Name | UnsetType = UNSET
    ts: Id | UnsetType = UNSET
    item_id: Id | UnsetType = UNSET
    rating: Annotated[float, Meta(ge=0.5, le=5)] | UnsetType = UNSET
    target: Name | UnsetType = UNSET
    request_id: Name | UnsetType = UNSET
    position: Id | UnsetType = UNSET


_decoder = msgspec.json.Decoder(Wire)
_encoder = msgspec.json.Encoder()


def _refuse(where: str, expected: str, received: str) -> NoReturn:
    raise BadEvent(where, expected, received)


def to_event(wire: Wire) -> Event:
    """Check what types alone can't express, and return the Event. Raises BadEvent."""
    kind = KIND_OF[wire.type]
    if wire.event_id is UNSET:
        _refuse("event_id", "a string of 1 to 64 characters", "nothing")
    if wire.ts is UNSET:
        _refuse("ts", "milliseconds since 1970", "nothing")
    item_id, centi, target = -1, 0, ""
    if kind >= UNDO:
        if wire.item_id is not UNSET:
            _refuse("item_id", f"no item_id with {wire.type}", str(wire.item_id))
    elif wire.item_id is UNSET:
        _refuse("item_id", f"an item_id with {wire.type}", "nothing")
    else:
        item_id = wire.item_id
    if kind == RATING:
        if wire.rating is UNSET:
            _refuse("rating", "a number from 0.5 to 5", "nothing")
        centi = math.floor(wire.rating * 100 + 0.5)
    elif wire.rating is not UNSET:
        _refuse("rating", f"no rating with {wire.type}", str(wire.rating))
    if kind == UNDO:
        if wire.target is UNSET:
            _refuse("target", "the event_id to take back", "nothing")
        target = wire.target
    elif wire.target is not UNSET:
        _refuse("target", f"no target with {wire.type}", repr(wire.target))
    return Event(
        wire.event_id,
        kind,
        wire.user_id,
        item_id,
        centi,
        target,
        wire.ts,
        None if wire.request_id is UNSET else wire.request_id,
        None if wire.position is UNSET else wire.position,
    )


def read_event(value: bytes) -> Event:
    """One value of the topic `events`. Raises BadEvent for anything that the contract does not allow."""
    return to_event(read_json(_decoder, value, "event"))


def wire_from_json(value: Any) -> Wire:
    """An already parsed JSON value (one element of a POST) as Wire. Raises BadEvent."""
    try:
        return msgspec.convert(value, Wire)
    except msgspec.ValidationError as error:
        raise refusal(error, "event") from error


def write_event(event: Event) -> bytes:
    """The JSON of an event, as producers put it into the log; `read_event` gives the same event back."""
    fields: dict[str, Any] = {
        "event_id": event.event_id,
        "type": KINDS[event.kind],
        "user_id": event.user_id,
        "ts": event.ts,
    }
    if event.item_id >= 0:
        fields["item_id"] = event.item_id
    if event.kind == RATING:
        fields["rating"] = event.centi / 100
    if event.target:
        fields["target"] = event.target
    if event.request_id is not None:
        fields["request_id"] = event.request_id
    if event.position is not None:
        fields["position"] = event.position
    return _encoder.encode(fields)


def id_hash(event_id: str) -> int:
    """Signed 64-bit hash of an event id, the same on every machine. Two of one user's 4,096 newest ids share it with
    probability below 10⁻¹²."""
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "big", signed=True)


def check_time(ts: Millis, wall: Millis, clock: Millis) -> None:
    """Refuse what comes from the future: more than 60 s ahead of `wall`, or a day ahead of the home's `clock`."""
    if ts > wall + FUTURE_SLACK_MS:
        _refuse("ts", f"at most 60 s after wall time ({wall})", str(ts))
    if ts > clock + CLOCK_SLACK_MS:
        _refuse("ts", f"at most a day after this home's clock ({clock})", str(ts))
