"""The event contract: bytes of the log or of a POST ↔ `Event`.

One JSON object an event; unknown fields are ignored, so that new producers can feed an old job. The rules are those of
docs/events.md; every refusal is a `BadEvent` that names the field, what was expected and what came.
"""

import math
from hashlib import blake2b
from typing import Annotated, Any, Final, NoReturn

import msgspec
from msgspec import UNSET, Meta, UnsetType

from features.contracts.json_contract import read_json, refusal
from features.errors import BadEvent, BadInput
from features.ids import MAX_LENGTH, Ids, OuterId
from features.schema.checked_fields import Fields
from features.schema.event_kinds import MAX_VALUE, MIN_VALUE
from features.schema.tables import Kind, Schema
from features.types import FORGET_USER, MAX_ID, NO_ID, PROFILE, UNDO, Event, ItemId, Millis, UserId
from features.units import DAY_MS, MINUTE_MS

EVENT_LIMIT: Final = (4 << 20) - (64 << 10)
"""Bytes of a record's value. The topic `events` takes it without compression, under its user's key, so every event can be sent
on, however compressed it came."""
FUTURE_SLACK_MS: Final = MINUTE_MS
"""An event may be this far ahead of wall time (the broker's, once it is in the log)."""
CLOCK_SLACK_MS: Final = DAY_MS
"""An event may be this far ahead of the home's clock."""

Whole = Annotated[int, Meta(ge=0, le=MAX_ID)]
"""A count, a position, or a time in ms."""
Id = Whole | Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]
"""A user's or an item's id outside (`features.ids` says which strings are none)."""
Inside = Annotated[int, Meta(ge=-(MAX_ID + 1), le=MAX_ID)]
"""A user's or an item's id inside."""
Name = Annotated[str, Meta(min_length=1, max_length=64)]
FIELDS_OF: Final = "x-fields-of"
"""In a JSON Schema made from types: of which table of the home's schema the properties of an object are: "users", "context"."""
UserFields = Annotated[Any, Meta(extra_json_schema={FIELDS_OF: "users"})]
ContextFields = Annotated[Any, Meta(extra_json_schema={FIELDS_OF: "context"})]
"""Objects by the schema's names; where the schema has none, these are unknown fields of an event, whatever they hold."""
MAX_PROFILE: Final = 8 << 10
"""Bytes of a user's attributes as canonical JSON: they are rewritten with each of the user's events."""


class Wire(msgspec.Struct, omit_defaults=True):
    """An event as it stands in JSON. type: a kind of the home's schema; rating: of the kind of that name; value: what other
    kinds carry; attributes: all of the user's, with `profile`; context: by the schema's names."""

    type: Name
    user_id: Id
    event_id: Name | UnsetType = UNSET
    ts: Whole | UnsetType = UNSET
    item_id: Id | UnsetType = UNSET
    rating: float | UnsetType = UNSET
    value: float | UnsetType = UNSET
    target: Name | UnsetType = UNSET
    request_id: Name | UnsetType = UNSET
    position: Whole | UnsetType = UNSET
    attributes: UserFields | UnsetType = UNSET
    context: ContextFields | UnsetType = UNSET


class _Record(Wire, omit_defaults=True):
    """An event as it is read: a schema without attributes, or without a context, leaves these unread, as any unknown field."""

    attributes: msgspec.Raw | UnsetType = UNSET
    context: msgspec.Raw | UnsetType = UNSET


_decoder = msgspec.json.Decoder(_Record)
_encoder = msgspec.json.Encoder()


def _refuse(where: str, expected: str, received: str) -> NoReturn:
    raise BadEvent(where, expected, received)


def to_event(wire: Wire, schema: Schema) -> Event:
    """Check what types alone can't express, and return the Event. Raises BadEvent."""
    kind = schema.kind_of.get(wire.type)
    if kind is None:
        _refuse("type", "one of " + ", ".join(schema.names()), repr(wire.type))
    event_id, ts, code = wire.event_id, wire.ts, kind.code
    if event_id is UNSET:
        _refuse("event_id", "a string of 1 to 64 characters", "nothing")
    if ts is UNSET:
        _refuse("ts", "milliseconds since 1970", "nothing")
    user_id, user = _id_of(wire.user_id, "user_id", schema.ids)
    item_id, target, item = NO_ID, "", ""
    if code in _WITHOUT_ITEM:
        if wire.item_id is not UNSET:
            _refuse("item_id", f"no item_id with {wire.type}", str(wire.item_id))
    elif wire.item_id is UNSET:
        _refuse("item_id", f"an item_id with {wire.type}", "nothing")
    else:
        item_id, item = _id_of(wire.item_id, "item_id", schema.ids)
    centi = _value_of(wire, kind)
    if code == UNDO:
        if wire.target is UNSET:
            _refuse("target", "the event_id to take back", "nothing")
        target = wire.target
    elif wire.target is not UNSET:
        _refuse("target", f"no target with {wire.type}", repr(wire.target))
    if code == PROFILE:
        target = _profile_of(wire, schema)
    elif wire.attributes is not UNSET and schema.users:
        _refuse("attributes", f"no attributes with {wire.type}", "some")
    request_id = None if wire.request_id is UNSET else wire.request_id
    position = None if wire.position is UNSET else wire.position
    context = ""
    if wire.context is not UNSET and schema.context:
        context = _canonical(schema.context, wire.context, "context")
    return Event(event_id, code, user_id, item_id, centi, target, ts, request_id, position, user, item, context)


_WITHOUT_ITEM: Final = (UNDO, FORGET_USER, PROFILE)


def _id_of(outer: OuterId, where: str, ids: Ids) -> tuple[int, str]:
    """The number inside of an id, and what Event has of it outside."""
    if type(outer) is int:  # which the type of the field has checked
        return outer, ""
    number = inside(outer, where, ids)
    return number, outer_text(outer, number)


def _profile_of(wire: Wire, schema: Schema) -> str:
    """The attributes that a profile sets, as canonical JSON; "" for none."""
    for name, given in (("request_id", wire.request_id), ("position", wire.position)):
        if given is not UNSET:
            _refuse(name, f"no {name} with {wire.type}", str(given))
    if wire.attributes is UNSET:
        _refuse("attributes", "all attributes of the user, {} for none", "nothing")
    attributes = _canonical(schema.users, wire.attributes, "attributes")
    if (size := len(attributes.encode())) > MAX_PROFILE:
        _refuse("attributes", f"at most {MAX_PROFILE} bytes as JSON", f"{size} bytes")
    return attributes


def _canonical(fields: Fields, given: Any, where: str) -> str:
    try:
        return fields.canonical(msgspec.json.decode(given) if isinstance(given, msgspec.Raw) else given, where)
    except msgspec.DecodeError as error:
        raise refusal(error, where) from error
    except BadInput as error:
        raise BadEvent(error.where, error.expected, error.received) from error


def inside(outer: OuterId, where: str, ids: Ids) -> UserId | ItemId:
    """The number that stands for an id inside. Raises BadEvent, which names the field `where`, for what is no id."""
    try:
        return ids.inside(outer)
    except BadInput as error:
        raise BadEvent(where, error.expected, error.received) from error


def outer_text(outer: OuterId, number: int) -> str:
    """The id outside where it is a string, as Event and Item have it: "" for one that is a number."""
    return str(outer) if number < 0 else ""


def _value_of(wire: Wire, kind: Kind) -> int:
    """The value that an event carries, in hundredths; 0 for a kind that carries none."""
    name = value_field(kind)
    given, other = (wire.rating, wire.value) if name == "rating" else (wire.value, wire.rating)
    if other is not UNSET:
        other_name = "value" if name == "rating" else "rating"
        instead = "" if kind.value is None else f", but {name}"
        _refuse(other_name, f"no {other_name} with {wire.type}{instead}", str(other))
    if kind.value is None:
        if given is not UNSET:
            _refuse(name, f"no {name} with {wire.type}", str(given))
        return 0
    if given is UNSET and not kind.needs_value:
        return 0
    low, high = MIN_VALUE[kind.value], MAX_VALUE[kind.value]
    if given is UNSET or not low <= given <= high:
        _refuse(name, f"a number from {low:g} to {high:g}", "nothing" if given is UNSET else str(given))
    return math.floor(given * 100 + 0.5)


def read_event(value: bytes, schema: Schema) -> Event:
    """One value of the topic `events`. Raises BadEvent for anything that contract and schema do not allow."""
    if len(value) > EVENT_LIMIT:
        raise BadEvent("event", f"at most {EVENT_LIMIT} bytes", "more")
    return to_event(read_wire(value), schema)


def read_wire(value: bytes) -> Wire:
    """The JSON of an event, such as one element of a POST, by its types alone. Raises BadEvent."""
    return read_json(_decoder, value, "event")


def write_event(event: Event, schema: Schema) -> bytes:
    """The JSON of an event, as producers put it into the log; `read_event` gives the same event back."""
    kind = schema.kind(event.kind)
    fields: dict[str, Any] = {
        "event_id": event.event_id,
        "type": kind.name,
        "user_id": event.outer_user,
        "ts": event.ts,
    }
    if event.item_id != NO_ID:
        fields["item_id"] = event.outer_item
    if kind.value is not None:
        fields[value_field(kind)] = event.centi / 100
    if event.kind == PROFILE:
        fields["attributes"] = msgspec.Raw((event.target or "{}").encode())
    elif event.target:
        fields["target"] = event.target
    if event.request_id is not None:
        fields["request_id"] = event.request_id
    if event.position is not None:
        fields["position"] = event.position
    if event.context:
        fields["context"] = msgspec.Raw(event.context.encode())
    return _encoder.encode(fields)


def value_field(kind: Kind) -> str:
    """The name under which an event's JSON has the value of its kind."""
    return "rating" if kind.value == "stars" else "value"


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
