"""The contract of the topic `samples`: a shown list, verbatim, with what its user did about it. Training reads it.

One JSON object a list, under the user's key in the user's partition, written once the list is closed. Unknown fields are
ignored; every refusal is a `BadEvent` that names the field, what was expected and what came.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from features.contracts.events import Id, Inside, Name, Whole
from features.contracts.json_contract import read_json
from features.contracts.served import Served, check_served, read_served
from features.errors import BadEvent
from features.ids import Ids, OuterId
from features.schema.tables import Schema
from features.types import NO_ID, Event, Millis

MAX_ACTIONS: Final = 500
SAMPLE_LIMIT: Final = 1 << 20
"""Bytes of one value; the largest list and MAX_ACTIONS of the largest events stay well below."""


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event that named the list's request_id: its fields as in the event contract, `ts` in ms."""

    event_id: Name
    type: Name
    ts: Whole
    item_id: Inside | UnsetType = UNSET
    rating: Annotated[float, Meta(ge=0.5, le=5)] | UnsetType = UNSET
    value: float | UnsetType = UNSET
    target: Name | UnsetType = UNSET
    position: Whole | UnsetType = UNSET


class Sample(msgspec.Struct, frozen=True):
    """
    request_id, user_id  of the list
    served     the list as it was logged
    actions    the user's actions on it, in the log's order, at most MAX_ACTIONS; an undo takes back the action it targets
    closed_ts  when the list was closed, ms: what came later is not in it
    """

    request_id: Name
    user_id: Id
    served: Served
    actions: Annotated[tuple[Action, ...], Meta(max_length=MAX_ACTIONS)]
    closed_ts: Whole


class _Written(msgspec.Struct, frozen=True):
    request_id: str
    user_id: OuterId
    served: msgspec.Raw
    actions: Sequence[Action]
    closed_ts: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Sample)
_ANY: Final = Ids()
"""A sample speaks of its user by the id outside, which no salt changes."""


def action_of(event: Event, schema: Schema) -> Action:
    """The part of an event that a sample holds."""
    kind = schema.kind(event.kind)
    value = UNSET if kind.value is None else event.centi / 100
    is_rating = kind.value == "stars"
    return Action(
        event.event_id,
        kind.name,
        event.ts,
        UNSET if event.item_id == NO_ID else event.item_id,
        value if is_rating else UNSET,
        UNSET if is_rating else value,
        event.target or UNSET,
        UNSET if event.position is None else event.position,
    )


def write_sample(served_json: bytes, actions: Sequence[Action], closed_ts: Millis) -> tuple[str, bytes]:
    """(key, JSON) of a sample, with the bytes of the list as they are. Of more than MAX_ACTIONS actions the first are taken.
    Raises BadEvent if the list is none (see `features.contracts.served.read_served`)."""
    head = read_served(served_json, _ANY)
    written = _Written(head.request_id, head.user, msgspec.Raw(served_json), actions[:MAX_ACTIONS], closed_ts)
    return str(head.user), _encoder.encode(written)


def read_sample(value: bytes) -> Sample:
    """One value of the topic `samples`. Raises BadEvent for anything that the contract does not allow."""
    if len(value) > SAMPLE_LIMIT:
        raise BadEvent("sample", f"at most {SAMPLE_LIMIT} bytes", f"{len(value)} bytes")
    sample = read_json(_decoder, value, "sample")
    check_served(sample.served)
    if (sample.request_id, sample.user_id) != (sample.served.request_id, sample.served.user_id):
        raise BadEvent("served", f"the list {sample.request_id} of user {sample.user_id}", sample.served.request_id)
    return sample
