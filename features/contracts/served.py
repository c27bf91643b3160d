"""The contract of the topic `served`: the head of every list that was shown, for the job.

One JSON object a list, under the user's key in the user's partition. The user's id is that outside, items' ids are those
inside (`features.ids`), as they are in features. `shown` says at which offset of the same partition of the topic `shown` all that
the list was made of lies (`features.contracts.shown_lists`); it is left out where that could not be written. Unknown fields are
ignored, so that a new server can feed an old job.

Homes from before have whole lists in `served`, with `items` in place of `item_ids`: `read_served` gives the head of either,
`read_served_list` a whole list. Both refuse with a `BadEvent` that names the field, what was expected and what came.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from features.contracts.events import Id, Inside, Name, Whole, inside
from features.contracts.json_contract import read_json
from features.errors import BadEvent
from features.ids import Ids, OuterId
from features.schema.declarations import MAX_CONTEXT
from features.types import NO_ID, ItemId, Millis, UserId

T = TypeVar("T")
ContextValue = str | bool | int | float

SERVED_LIMIT: Final = 256 << 10
"""Bytes of one value."""
MAX_SLATE: Final = 100
MAX_CANDIDATES: Final = 500
"""The most candidates of a list: recall gives, rankers score and `served` holds at most so many; evaluation uses the same."""


class ServedItem(msgspec.Struct, frozen=True):
    """One item of a list.

    position    its rank in the list, from 0; events carry it
    score       what it was ranked by; of `degraded` lists not a model's
    channels    names of the recall channels that found it
    propensity  probability, 0 to 1, with which it was shown at this rank; 1 without exploration
    team        of a list that interleaves two models, the one whose pick it was
    """

    item_id: Inside
    position: Whole
    score: float
    channels: tuple[Name, ...]
    propensity: Annotated[float, Meta(ge=0, le=1)] = 1.0
    team: Name | UnsetType = UNSET


class ServedCandidates(msgspec.Struct, frozen=True):
    """All n items that were ranked, as columns, in the order in which recall gave them.

    channels  names of the recall channels that ran
    item_id   [n]
    channel   [n] what found it: bit k for channels[k]
    score     [n] what it was ranked by
    """

    channels: Annotated[tuple[Name, ...], Meta(max_length=62)]
    item_id: Annotated[list[Inside], Meta(max_length=MAX_CANDIDATES)]
    channel: Annotated[list[Whole], Meta(max_length=MAX_CANDIDATES)]
    score: Annotated[list[float], Meta(max_length=MAX_CANDIDATES)]


class ServedFeatures(msgspec.Struct, frozen=True, omit_defaults=True):
    """Raw features as the ranking used them: float32 values, not normalised.

    layout  digest of what the columns mean (`features.inputs.model_inputs.layout`)
    user    [U + 3(G + 1)] `user_vector`
    items   [shown][I + G + 1] `item_matrix`, a row for each shown item, in the list's order
    cross   [shown][C] `cross_matrix`; None if the model takes none (it follows from the other two)
    history three lists, [L], [L] and [L + 1], as `features.inputs.history.history_of` gives them; None if the model takes none
    signals [shown][S] `features.inputs.signals.signal_matrix`; None if the model takes none
    """

    layout: Name
    user: list[float]
    items: list[list[float]]
    cross: list[list[float]] | None = None
    history: tuple[list[int], list[int], list[int]] | None = None
    signals: list[list[float]] | None = None


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One shown list, whole.

    request_id     of the answer; events that answer the list carry it
    ts             the home's clock when the list was made, ms
    at             the time at which features were taken, decayed to it, ms: `ts`, unless the request set another
    model, model_version  the model chosen to rank; None where there was none. With "no model" in `degraded` it did not
    items          as shown, at most 100; may be empty
    candidates     what it was chosen from, at most 500
    features       None where no features were made (no model was there to take them, or they were too large)
    degraded       what was missing, in the words of the answer
    arms           experiment → the arm that made the list
    context        what the request said of its circumstances, by the names of the home's schema then
    """

    request_id: Name
    user_id: Id
    ts: Whole
    at: Whole
    model: Name | None
    model_version: Whole | None
    items: Annotated[tuple[ServedItem, ...], Meta(max_length=MAX_SLATE)]
    candidates: ServedCandidates
    features: ServedFeatures | None = None
    degraded: tuple[str, ...] = ()
    arms: Annotated[dict[Name, Name], Meta(max_length=20)] | UnsetType = UNSET
    context: Annotated[dict[Name, ContextValue], Meta(max_length=MAX_CONTEXT)] | UnsetType = UNSET


class ServedHead(msgspec.Struct, frozen=True):
    """The part of a list that the job needs: its user, the home's clock when it was made (ms), the items in the order shown;
    `user` is the user's id outside, `shown` the offset of all the rest."""

    request_id: str
    user_id: UserId
    ts: Millis
    item_ids: tuple[ItemId, ...]
    user: OuterId = 0
    shown: int | None = None


class _HeadItem(msgspec.Struct, frozen=True):
    item_id: Inside


class _Head(msgspec.Struct, frozen=True, omit_defaults=True):
    request_id: Name
    user_id: Id
    ts: Whole
    item_ids: Annotated[tuple[Inside, ...], Meta(max_length=MAX_SLATE)] | UnsetType = UNSET
    items: Annotated[tuple[_HeadItem, ...], Meta(max_length=MAX_SLATE)] | UnsetType = UNSET
    shown: Whole | None = None
    arms: Annotated[dict[Name, Name], Meta(max_length=20)] | UnsetType = UNSET


_encoder = msgspec.json.Encoder()
_head_decoder = msgspec.json.Decoder(_Head)
_list_decoder = msgspec.json.Decoder(Served)


def write_head(
    request_id: str, user: OuterId, ts: Millis, item_ids: Sequence[ItemId], arms: Mapping[str, str], shown: int | None
) -> bytes:
    """The JSON of a list's head, as it goes into the log. arms: experiment → the arm that made the list; shown: the offset of its
    record in the topic `shown`, None if it has none."""
    head = _Head(request_id, user, ts, tuple(item_ids), shown=shown, arms=dict(arms) or UNSET)
    return _encoder.encode(head)


def read_served(value: bytes, ids: Ids) -> ServedHead:
    """The head of one value of the topic `served`. Raises BadEvent for what is no JSON or has a head that the contract does
    not allow; the rest is not read."""
    head = _read(_head_decoder, value)
    if head.item_ids is not UNSET:
        item_ids = head.item_ids
        _check_items(item_ids, "item_ids", "")
    elif head.items is not UNSET:
        item_ids = tuple([item.item_id for item in head.items])
        _check_items(item_ids)
    else:
        raise BadEvent("item_ids", "the ids of the items shown", "none")
    user_id = inside(head.user_id, "user_id", ids)
    user = user_id if user_id >= 0 else head.user_id
    return ServedHead(head.request_id, user_id, head.ts, item_ids, user, head.shown)


def read_served_list(value: bytes) -> Served:
    """A whole list of the topic `served`. Raises BadEvent for anything else, a head among it."""
    served = _read(_list_decoder, value)
    check_served(served)
    return served


def read_head_as_list(value: bytes) -> Served:
    """A list of the topic `served`: whole, as homes of before have it, or what its head says of it, without scores, candidates
    and features. Raises BadEvent for what is neither."""
    head = _read(_head_decoder, value)
    if head.item_ids is UNSET:
        return read_served_list(value)
    _check_items(head.item_ids, "item_ids", "")
    return Served(
        request_id=head.request_id,
        user_id=head.user_id,
        ts=head.ts,
        at=head.ts,
        model=None,
        model_version=None,
        items=tuple(ServedItem(item_id, position, 0.0, ()) for position, item_id in enumerate(head.item_ids)),
        candidates=ServedCandidates((), [], [], []),
        arms=head.arms,
    )


def check_served(served: Served) -> None:
    """Check what types alone can't express. Raises BadEvent."""
    _check_items(tuple([item.item_id for item in served.items]))
    for at, (before, item) in enumerate(pairwise(served.items), start=1):
        if item.position <= before.position:
            raise BadEvent(f"items[{at}].position", f"a place after {before.position}", str(item.position))
    candidates = served.candidates
    size = len(candidates.item_id)
    for name, column in (("channel", candidates.channel), ("score", candidates.score)):
        _check_length(f"candidates.{name}", size, column)
    if any(mask >> len(candidates.channels) for mask in candidates.channel):
        raise BadEvent(
            "candidates.channel", f"bits of {len(candidates.channels)} channels", str(max(candidates.channel))
        )
    if served.features is not None:
        for name, rows in (
            ("items", served.features.items),
            ("cross", served.features.cross),
            ("signals", served.features.signals),
        ):
            if rows is not None:
                _check_length(f"features.{name}", len(served.items), rows)
                for at, row in enumerate(rows):
                    _check_length(f"features.{name}[{at}]", len(rows[0]), row)


def _read(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    if len(value) > SERVED_LIMIT:
        raise BadEvent("served", f"at most {SERVED_LIMIT} bytes", f"{len(value)} bytes")
    return read_json(decoder, value, "served")


def _check_items(item_ids: tuple[ItemId, ...], where: str = "items", field: str = ".item_id") -> None:
    if NO_ID in item_ids:
        raise BadEvent(f"{where}[{item_ids.index(NO_ID)}]{field}", "an item's id", str(NO_ID))
    if len(set(item_ids)) < len(item_ids):
        twice = next(each for each in item_ids if item_ids.count(each) > 1)
        raise BadEvent(where, "each item once", f"item {twice} more than once")


def _check_length(where: str, expected: int, values: Sequence[object]) -> None:
    if len(values) != expected:
        raise BadEvent(where, f"{expected} values", str(len(values)))
