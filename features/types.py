"""The nouns of Martlet. Every module takes them from here."""

from typing import Final, NamedTuple

import msgspec

UserId = int
ItemId = int
Millis = int
"""Milliseconds since 1970, UTC."""

MAX_ID: Final = 2**63 - 1

# The kinds of event, in the order in which counts are stored: only ever append.
KINDS: Final = ("impression", "click", "view", "rating", "like", "dislike", "undo", "forget_user")
IMPRESSION, CLICK, VIEW, RATING, LIKE, DISLIKE, UNDO, FORGET_USER = range(len(KINDS))
KIND_OF: Final = {name: code for code, name in enumerate(KINDS)}

SEEN_KINDS: Final = frozenset({CLICK, RATING, LIKE, DISLIKE})
"""The kinds that make an item seen by a user, so that it is not recommended again."""


class Event(NamedTuple):
    """One event of the log, valid by the contract (see `features.contracts.events`).

    `kind` is an index into KINDS. `centi` is the rating in hundredths (450 for 4.5) or 0. `item_id` is −1 and
    `target` is "" where the kind has none.
    """

    event_id: str
    kind: int
    user_id: UserId
    item_id: ItemId
    centi: int
    target: str
    ts: Millis
    request_id: str | None = None
    position: int | None = None


class Contribution(NamedTuple):
    """The change that one applied event makes to an item and its pairs: added (sign 1) or taken back (sign −1).

    `key` is the hash of the event's id; `partners` are the items that the user liked just before this one, for a
    positive event (else empty).
    """

    item_id: ItemId
    ts: Millis
    kind: int
    centi: int
    sign: int
    key: int = 0
    partners: tuple[ItemId, ...] = ()


Slot = tuple[ItemId, Millis, int, ItemId, int]
"""One co-visit in the pairs of an item: (item id, ts, event's hash, other item, sign). A user liked it and, close to it, the
other; sign −1 takes it back. Plain, since each positive event makes up to six."""


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One item of the catalogue. `year` is its release year, 0 where unknown."""

    item_id: ItemId
    title: str
    genres: tuple[str, ...] = ()
    year: int = 0


def is_positive(kind: int, centi: int) -> bool:
    """A like, or a rating of at least 4."""
    return kind == LIKE or (kind == RATING and centi >= 400)


def is_negative(kind: int, centi: int) -> bool:
    """A dislike, or a rating of at most 2.5."""
    return kind == DISLIKE or (kind == RATING and centi <= 250)
