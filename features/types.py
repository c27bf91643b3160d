"""The nouns of Martlet. Every module takes them from here."""

from typing import Final, NamedTuple

import msgspec

UserId = int
ItemId = int
Millis = int
"""Milliseconds since 1970, UTC."""

MAX_ID: Final = 2**63 - 1
NO_ID: Final = -1
"""Stands where there is no user or item; no id has it (`features.ids`)."""
FOREVER: Final = 2**63 - 1
"""The time until which an item is hidden that is hidden for good."""

# The kinds of event, in the order in which counts are stored: only ever append.
KINDS: Final = ("impression", "click", "view", "rating", "like", "dislike", "undo", "forget_user")
IMPRESSION, CLICK, VIEW, RATING, LIKE, DISLIKE, UNDO, FORGET_USER = range(len(KINDS))

MAX_OWN_KINDS: Final = 16
"""The most kinds that a home's schema may add; their codes follow on those of KINDS (`features.schema.tables`)."""
PROFILE: Final = len(KINDS) + MAX_OWN_KINDS
"""The code of `profile`, an event that replaces its user's attributes; it is stored in the memory of events alone."""


class Event(NamedTuple):
    """One event of the log, valid by the contract (see `features.contracts.events`).

    `kind` is a code of the home's schema: an index into KINDS, or above. `centi` is the value in hundredths (450 for a rating of
    4.5) or 0. `item_id` is NO_ID and `target` is "" where the kind has none; the target of a profile is its attributes as
    canonical JSON. `user` and `item` are the ids outside where those are strings (`features.ids`), else "". `context` is what the
    schema's context says of the event, as canonical JSON; the fold does not read it.
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
    user: str = ""
    item: str = ""
    context: str = ""

    @property
    def outer_user(self) -> int | str:
        """The user's id outside."""
        return self.user or self.user_id

    @property
    def outer_item(self) -> int | str:
        """The item's id outside."""
        return self.item or self.item_id


class Contribution(NamedTuple):
    """The change that one applied event makes to an item and its pairs: added (sign 1) or taken back (sign −1).

    `weight` is the event's, in units of the schema; `key` is the hash of the event's id; `partners` are the items that the user
    liked just before this one, for a positive event (else empty); `item` is the item's id outside where that is a string and the
    event told it, else "".
    """

    item_id: ItemId
    ts: Millis
    kind: int
    centi: int
    sign: int
    weight: int = 0
    key: int = 0
    partners: tuple[ItemId, ...] = ()
    item: str = ""


Slot = tuple[ItemId, Millis, int, ItemId, int]
"""One co-visit in the pairs of an item: (item id, ts, event's hash, other item, weight). A user liked it and, close to it, the
other; a weight below 0 takes it back. Plain, since each positive event makes up to six."""


Impressions = tuple[ItemId, int, Millis, Millis]
"""Impressions of one item on one UTC day: (item id, how many, time of the oldest, time of the newest). Plain, since lists make so
many."""

Value = str | bool | int | float | tuple[float, ...]
"""What an attribute of an item is that is no facet: a text, flag, number, time (ms), vector or [latitude, longitude]."""


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One item of the catalogue, compiled by the home's schema (`features.schema.attributes`).

    facets        name of a facet → its values, in the order given
    values        name of any other attribute → its value
    tastes        the names under which it counts for its users' tastes, labels first
    label_count   how many of these are labels: values of the schema's first facet, which models have columns for
    year          of release or the like, by which the schema counts decades; 0 where unknown
    available     whether lists may show it
    expires       from when on no list shows it, ms; 0: never
    deleted       it is no item any more; what it was is kept for histories and undos
    ts            the home's clock when it was first put, ms (in a record of the topic: when that was made); 0: it came with the
                  data set
    outer         its id outside where that is a string, else "" (`features.ids`)
    """

    item_id: ItemId
    title: str
    facets: dict[str, tuple[str, ...]] = {}
    values: dict[str, Value] = {}
    tastes: tuple[str, ...] = ()
    label_count: int = 0
    year: int = 0
    image_url: str = ""
    available: bool = True
    expires: Millis = 0
    deleted: bool = False
    ts: Millis = 0
    outer: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The values of the schema's first facet, as tastes name them."""
        return self.tastes[: self.label_count]
