"""The features of a user and of an item: the fold updates them, Redis holds them and models read them.

They are stored as msgpack arrays, so a field's index is its name on the wire: only ever append, with a default. An old
reader skips what it does not know; a new reader takes the default for what is not there.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from features.ids import OuterId
from features.types import CLICK, KINDS, UNDO

FOLD_VERSION: Final = 4
"""Rises when the same log would give other features: the generation of every write rises with it."""

SEQUENCE: Final = 50
RECENT: Final = 20
TASTES: Final = 32
DAYS: Final = 60


def _counts() -> list[int]:
    return [0] * len(KINDS)


def count_acts(counts: Sequence[int]) -> int:
    """Events on items other than impressions, from counts by kind."""
    return sum(counts[CLICK:UNDO]) + sum(counts[len(KINDS) :])


def count_event(counts: list[int], kind: int, sign: int) -> None:
    """Add to the count of a kind, in place; a kind of the home's own has its place from its first event on."""
    if kind >= len(counts):
        counts += [0] * (kind + 1 - len(counts))
    counts[kind] += sign


class UserFeatures(msgspec.Struct, array_like=True):
    """The features of a user; at most 4 kB as stored, 5 kB where names of tastes are long, and the user's attributes.

    user_id     the user's id outside (`features.ids`); that inside as long as no event told it
    first_ts    time of the oldest applied event, ms (0: none yet)
    last_ts     time of the newest applied event, ms
    counts      applied events by kind, as far as to the largest there was; what was undone is taken off
    duplicates  events that came again under a known id
    late        events too old to be distinguished from forgotten ones
    rating_sum  sum of ratings, hundredths
    rating_sq   sum of squared ratings, hundredths²
    positives   sum of the weights above 0, in units of the schema (`features.schema.tables`)
    negatives   sum of the weights below 0, as a positive number
    tastes      name (`features.types.Item.tastes`), such as "Drama" or "1990s" → [ts of the last change, 3 × clicks,
                3 × positives, 3 × negatives]: decayed weights in units of 1/65,536 event and of the schema for the
                half-lives of `features.fold.decay`, as of `epochs`; at most 32
    sequence    the last 50 positive items, (item_id, ts), in the order of the log
    recent      the last 20 events with an item other than impressions, (item_id, ts, kind, value in hundredths)
    session     [start ts, newest ts, events, clicks] of the current session; 30 minutes of silence end one
    gap         silence between the session before and the current one, ms (0: there was none before)
    activity    events other than impressions as decayed weights for the three half-lives, as of `epochs`: over its
                half-life a weight gives a rate
    epochs      for each half-life, the time (in half-lives since 1970) as of which its weights stand
    attributes  the user's attributes as canonical JSON, at most 8 KiB (`features.contracts.events`); "": none. Not stored then
    """

    user_id: OuterId
    first_ts: int = 0
    last_ts: int = 0
    counts: list[int] = msgspec.field(default_factory=_counts)
    duplicates: int = 0
    late: int = 0
    rating_sum: int = 0
    rating_sq: int = 0
    positives: int = 0
    negatives: int = 0
    tastes: dict[str, list[int]] = msgspec.field(default_factory=dict)
    sequence: list[tuple[int, int]] = msgspec.field(default_factory=list)
    recent: list[tuple[int, int, int, int]] = msgspec.field(default_factory=list)
    session: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0, 0])
    gap: int = 0
    activity: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    epochs: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    attributes: str = ""


class ItemFeatures(msgspec.Struct, array_like=True):
    """The features of an item, at most 2 kB as stored. Every field is a sum, a minimum or a maximum, or the newest of
    such by time: the order of contributions does not matter. A bucket is [number, impressions, clicks, events, positives],
    its number the time divided by its length; events are all but impressions. Popularity and trend are read from `days`
    (`features.inputs.columns`).

    item_id     the item's id outside; that inside as long as no contribution told it
    n           contributions folded in, undone ones included: the fence of its writes
    first_ts    time of the oldest contribution, ms
    last_ts     time of the newest, ms
    counts      events by kind, as far as to the largest there was
    rating_sum  sum of ratings, hundredths
    rating_sq   sum of squared ratings, hundredths²
    positives   sum of the weights above 0, in units of the schema (`features.schema.tables`)
    negatives   sum of the weights below 0, as a positive number
    days        the newest 60 days (UTC) with contributions, as buckets, ascending
    """

    item_id: OuterId
    n: int = 0
    first_ts: int = 0
    last_ts: int = 0
    counts: list[int] = msgspec.field(default_factory=_counts)
    rating_sum: int = 0
    rating_sq: int = 0
    positives: int = 0
    negatives: int = 0
    days: list[list[int]] = msgspec.field(default_factory=list)


_encoder = msgspec.msgpack.Encoder()
_BARE_USER: Final = b"\xdc" + (len(UserFeatures.__struct_fields__) - 1).to_bytes(2, "big")
"""Begins an array that is shorter by its last value: a user without attributes is stored without that field."""
_user_decoder = msgspec.msgpack.Decoder(UserFeatures)
_item_decoder = msgspec.msgpack.Decoder(ItemFeatures)


def encode_features(features: UserFeatures | ItemFeatures) -> bytes:
    """The stored form, for Redis, Flink's state and bases alike."""
    encoded = _encoder.encode(features)
    if isinstance(features, UserFeatures) and not features.attributes:
        return _BARE_USER + encoded[len(_BARE_USER) : -1]
    return encoded


def decode_user(data: bytes) -> UserFeatures:
    """Raises msgspec.DecodeError where the bytes are no UserFeatures."""
    return _user_decoder.decode(data)


def decode_item(data: bytes) -> ItemFeatures:
    """Raises msgspec.DecodeError where the bytes are no ItemFeatures."""
    return _item_decoder.decode(data)


class StoredUser(msgspec.Struct, array_like=True):
    """A whole user as a base keeps it: features as stored, tombstone, the journal of memory and seen set, and the shown
    lists remembered, as (hash of request_id, ts) for `features.fold.impressions.list_memory`."""

    features: bytes
    floor: int = -1
    records: int = 0
    journal: bytes = b""
    lists: list[tuple[int, int]] = msgspec.field(default_factory=list)


_stored_decoder = msgspec.msgpack.Decoder(StoredUser)


def encode_stored_user(stored: StoredUser) -> bytes:
    return _encoder.encode(stored)


def decode_stored_user(data: bytes) -> StoredUser:
    """Raises msgspec.DecodeError where the bytes are no StoredUser."""
    return _stored_decoder.decode(data)
