"""The contract of the topic `samples`: what users did about shown lists. Training reads it, with the lists themselves.

One JSON object a list, under the user's key in the user's partition, written once the list is closed: its actions, and where the
list lies in the user's partition of `served` and of `shown`. One more kind of record says that a user wants to be forgotten: what
lies before it of that user is not to be learned from. Homes from before have the whole list in `served`. Unknown fields are
ignored; every refusal is a `BadEvent` that names the field, what was expected and what came.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from features.contracts.events import Id, Inside, Name, Whole
from features.contracts.json_contract import read_json
from features.contracts.served import Served, check_served
from features.errors import BadEvent
from features.ids import OuterId
from features.schema.tables import Schema
from features.types import NO_ID, Event, Millis

MAX_ACTIONS: Final = 500
PERIODS: Final = 30
"""Of the attribution window, whose lists are closed together: a minute each of half an hour."""
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


class SampleReference(msgspec.Struct, frozen=True, kw_only=True):
    """A sample whose list lies elsewhere: at the offset `served`, and all that it was made of at `shown`, None if that was not
    written. The other fields are those of `Sample`."""

    request_id: Name
    user_id: Id
    served: Whole
    shown: Whole | None
    actions: Annotated[tuple[Action, ...], Meta(max_length=MAX_ACTIONS)]
    closed_ts: Whole

    def with_list(self, served: Served) -> Sample:
        """The sample with its list. Raises BadEvent for another one."""
        _check_same(self.request_id, self.user_id, served)
        return Sample(self.request_id, self.user_id, served, self.actions, self.closed_ts)


class Forgotten(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user who wanted to be forgotten; forgotten_ts: when the broker took the wish, ms; until: the home's time, ms, up to which
    nothing is left of the user, None in records of before it was written."""

    user_id: Id
    forgotten_ts: Whole
    until: Whole | None = None


class _Record(msgspec.Struct, frozen=True):
    user_id: Id
    request_id: Name | UnsetType = UNSET
    served: Served | Whole | UnsetType = UNSET
    shown: Whole | None = None
    actions: Annotated[tuple[Action, ...], Meta(max_length=MAX_ACTIONS)] = ()
    closed_ts: Whole | UnsetType = UNSET
    forgotten_ts: Whole | UnsetType = UNSET
    until: Whole | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Record)


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


def write_sample(
    request_id: str,
    user: OuterId,
    served: int,
    shown: int | None,
    actions: Sequence[Action],
    closed_ts: Millis,
) -> bytes:
    """The JSON of a sample. user: the id outside; served, shown: offsets; of more than MAX_ACTIONS actions the first are
    taken."""
    sample = SampleReference(
        request_id=request_id,
        user_id=user,
        served=served,
        shown=shown,
        actions=tuple(actions[:MAX_ACTIONS]),
        closed_ts=closed_ts,
    )
    return _encoder.encode(sample)


def write_forgotten(user: OuterId, broker_ts: Millis, until: Millis) -> bytes:
    """The JSON that has a user's lists forgotten. user: the id outside; until: as `Forgotten` has it."""
    return _encoder.encode(Forgotten(user_id=user, forgotten_ts=broker_ts, until=until))


def read_sample(value: bytes) -> Sample | SampleReference | Forgotten:
    """One value of the topic `samples`. Raises BadEvent for anything that the contract does not allow."""
    if len(value) > SAMPLE_LIMIT:
        raise BadEvent("sample", f"at most {SAMPLE_LIMIT} bytes", f"{len(value)} bytes")
    read = read_json(_decoder, value, "sample")
    if read.forgotten_ts is not UNSET:
        return Forgotten(user_id=read.user_id, forgotten_ts=read.forgotten_ts, until=read.until)
    for name in ("request_id", "served", "closed_ts"):
        if getattr(read, name) is UNSET:
            raise BadEvent(name, "a value", "none")
    assert read.request_id is not UNSET
    assert read.closed_ts is not UNSET
    if isinstance(read.served, Served):
        check_served(read.served)
        _check_same(read.request_id, read.user_id, read.served)
        return Sample(read.request_id, read.user_id, read.served, read.actions, read.closed_ts)
    assert read.served is not UNSET
    return SampleReference(
        request_id=read.request_id,
        user_id=read.user_id,
        served=read.served,
        shown=read.shown,
        actions=read.actions,
        closed_ts=read.closed_ts,
    )


def _check_same(request_id: str, user_id: OuterId, served: Served) -> None:
    if (request_id, user_id) != (served.request_id, served.user_id):
        raise BadEvent("served", f"the list {request_id} of user {user_id}", served.request_id)


def period_of(window_s: int) -> int:
    """How long the lists are shown, s, that are closed together, of an attribution window of so many seconds."""
    return max(1, window_s // PERIODS)


def shown_since(closed_ts: Millis, window_s: int) -> Millis:
    """A broker time (ms) since when a list was shown that is closed at `closed_ts` or later, its attribution window being so
    long; there is a period between, since clocks differ.

    >>> shown_since(1_800_000, 1_500)
    200000
    """
    return closed_ts - 1000 * (window_s + 2 * period_of(window_s))
