"""Plain events out of the records of the log, as the kernel takes them: for these the reader gives what
`features.contracts.admission.admit` gives, without an object of an event between; all other records it leaves to it.

Nothing is refused here, as only admission says why. Of the fields that events may have, those of a plain event are read alone.
"""

import math
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from features.clock import Clock
from features.contracts.events import (
    CLOCK_SLACK_MS,
    EVENT_LIMIT,
    FUTURE_SLACK_MS,
    Id,
    Name,
    Whole,
    id_hash,
    inside,
    outer_text,
    value_field,
)
from features.errors import BadEvent
from features.ids import OuterId
from features.kernel.users.row_types import LATEST
from features.kernel.users.schema_rules import plain_kinds
from features.keys import partitioner
from features.schema.event_kinds import MAX_VALUE, MIN_VALUE
from features.schema.tables import Kind, Schema
from features.types import Event, ItemId, Millis, UserId


class _Wire(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A plain event as it stands in JSON, with the types that admission demands."""

    event_id: Name
    type: Name
    user_id: Id
    ts: Whole
    item_id: Id
    rating: float | UnsetType = UNSET
    value: float | UnsetType = UNSET
    request_id: Name | UnsetType = UNSET
    position: Whole | UnsetType = UNSET


_decode: Final = msgspec.json.Decoder(_Wire).decode


class _Values(NamedTuple):
    """The values that events of a kind may have: none, where `low` is above `high`."""

    code: int
    is_rating: bool
    low: float
    high: float
    may_lack: bool


def _values_of(kind: Kind) -> _Values:
    if kind.value is None:
        return _Values(kind.code, False, math.inf, -math.inf, True)
    is_rating = value_field(kind) == "rating"
    return _Values(kind.code, is_rating, MIN_VALUE[kind.value], MAX_VALUE[kind.value], not kind.needs_value)


class PlainEvent(msgspec.Struct, frozen=True, gc=False):
    """What the kernel needs of a plain event.

    key     the hash of its id
    event   the whole of it, where it has texts that the fold does not read: ids that are strings, the list that it names
    """

    user_id: UserId
    key: int
    ts: Millis
    kind: int
    item_id: ItemId
    centi: int
    event: Event | None


def plain_event(event: Event) -> PlainEvent:
    """An event that was admitted, as `PlainReader` gives it."""
    has_texts = event.user or event.item or event.request_id is not None
    return PlainEvent(
        event.user_id,
        id_hash(event.event_id),
        event.ts,
        event.kind,
        event.item_id,
        event.centi,
        event if has_texts else None,
    )


class PlainReader:
    """Reads by a home's schema and clock, and by how its log is divided."""

    def __init__(self, schema: Schema, clock: Clock, partitions: int) -> None:
        self._ids, self._clock, self._partition_of = schema.ids, clock, partitioner(partitions)
        self._earliest = clock.horizon + CLOCK_SLACK_MS
        """Up to this time no event that is not ahead of wall time is ahead of the clock, whenever it came."""
        codes = plain_kinds(schema)
        self._kinds = {kind.name: _values_of(kind) for kind in schema.kinds if kind is not None and kind.code in codes}

    def read(self, value: bytes, key: str, partition: int, broker_ts: Millis) -> PlainEvent | None:
        """The plain event of a record, under the key and in the partition of its user; None: admission says what it is."""
        if len(value) > EVENT_LIMIT:
            return None
        try:
            wire = _decode(value.decode())
        except (UnicodeDecodeError, msgspec.DecodeError):
            return None
        values, ts = self._kinds.get(wire.type), wire.ts
        if values is None or ts > LATEST or ts > broker_ts + FUTURE_SLACK_MS:
            return None
        if ts > self._earliest and ts > self._clock.at(broker_ts) + CLOCK_SLACK_MS:
            return None
        centi = _centi_of(wire, values)
        if centi is None:
            return None
        user_id, item_id = wire.user_id, wire.item_id
        if type(user_id) is int and type(item_id) is int and wire.request_id is UNSET:
            outer: OuterId = user_id
            plain = PlainEvent(user_id, id_hash(wire.event_id), ts, values.code, item_id, centi, None)
        else:
            event = self._event(wire, values.code, centi)
            if event is None:
                return None
            outer, plain = event.outer_user, plain_event(event)
        return plain if key == str(outer) and self._partition_of(key) == partition else None

    def _event(self, wire: _Wire, code: int, centi: int) -> Event | None:
        """The whole event; None where an id is none."""
        try:
            user_id = inside(wire.user_id, "user_id", self._ids)
            item_id = inside(wire.item_id, "item_id", self._ids)
        except BadEvent:
            return None
        request_id = None if wire.request_id is UNSET else wire.request_id
        position = None if wire.position is UNSET else wire.position
        user, item = outer_text(wire.user_id, user_id), outer_text(wire.item_id, item_id)
        return Event(wire.event_id, code, user_id, item_id, centi, "", wire.ts, request_id, position, user, item)


def _centi_of(wire: _Wire, values: _Values) -> int | None:
    """The value in hundredths, 0 without one; None where the kind does not allow what is there."""
    given, other = (wire.rating, wire.value) if values.is_rating else (wire.value, wire.rating)
    if other is not UNSET:
        return None
    if given is UNSET:
        return 0 if values.may_lack else None
    return math.floor(given * 100 + 0.5) if values.low <= given <= values.high else None
