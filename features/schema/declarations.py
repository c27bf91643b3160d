"""The tables `[items.NAME]`, `[users.NAME]` and `[context.NAME]` of `schema.toml`: what attributes the items and users of a home
have, and what events and requests say of their circumstances.

[items.category]
type = "facet"                 # or number, time, flag, text, vector, place
many = true                    # a facet: several values an item
tastes = false                 # a facet: its values do not enter users' tastes (they do, where this is left out)

[items.price]
type = "number"
bands = [0, 20, 50, 100]       # enters tastes by band: "price:20-50"; or tastes = "decade", as years do

[items.look]
type = "vector"
size = 64

[users.plan]
type = "facet"                 # or number, time, flag, text; `many` as above

[users.age]
type = "number"
bands = [0, 18, 30, 50]        # counts by band (`features.base.segments`)

[context.device]
type = "facet"                 # of one value; or number, flag; `bands` as above
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from features.errors import BadInput

AttributeType = Literal["facet", "number", "time", "flag", "text", "vector", "place"]
UserAttributeType = Literal["facet", "number", "time", "flag", "text"]
ContextType = Literal["facet", "number", "flag"]
Number = int | float
Refuse = Callable[[tuple[str, ...], str, str], BadInput]
"""(path in the file, what was expected, what came) → the error that names the line."""

MAX_ATTRIBUTES: Final = 32
MAX_CONTEXT: Final = 8
MAX_BANDS: Final = 16
MAX_VECTOR: Final = 1_024
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
BUILT_IN: Final = ("item_id", "title", "image_url", "available", "expires")
"""What every item has, in every schema."""
RESERVED: Final = frozenset(BUILT_IN) | {
    "deleted",
    "ts",
    "score",
    "channels",
    "team",
    "explain",
    "weight",
    "ratings",
    "mean_rating",
    "rating_spread",
    "positives",
    "events",
    "first_event_ts",
    "popularity",
}
"""Names that an attribute can't have: answers carry them beside an item's attributes."""


USER_ID: Final = "user_id"
"""A name that an attribute of users can't have: files have their id in a column of this name."""


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attribute of items, as the module's docstring shows it. tastes: None stands for true with a facet, for false with
    others."""

    type: AttributeType
    many: bool = False
    tastes: bool | Literal["decade"] | None = None
    bands: tuple[Number, ...] = ()
    size: int = 0

    @property
    def enters_tastes(self) -> bool:
        """Whether its values are among the tastes of users."""
        return self.tastes is not False if self.type == "facet" else bool(self.tastes or self.bands)

    @property
    def is_list_of_values(self) -> bool:
        """Whether it is a facet with many values."""
        return self.type == "facet" and self.many


class UserAttribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attribute of users, as the module's docstring shows it."""

    type: UserAttributeType
    many: bool = False
    bands: tuple[Number, ...] = ()


class ContextField(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of the context of events and requests, as the module's docstring shows it."""

    type: ContextType
    bands: tuple[Number, ...] = ()


def band_of(name: str, bands: Sequence[Number], number: Number) -> str:
    """The band that a number lies in, as a name; "" below the first one.

    >>> band_of("age", (0, 18, 30.5), 20), band_of("age", (0, 18, 30.5), 31), band_of("age", (18,), 17)
    ('age:18-30.5', 'age:30.5+', '')
    """
    starts = [start for start in bands if start <= number]
    if not starts:
        return ""
    rest = bands[len(starts) :]
    return f"{name}:{_digits(starts[-1])}-{_digits(rest[0])}" if rest else f"{name}:{_digits(starts[-1])}+"


def _digits(number: Number) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def check_items(items: Mapping[str, Attribute], refuse: Refuse) -> None:
    """Raises BadInput for what types alone can't refuse."""
    _check_names("items", items, MAX_ATTRIBUTES, refuse)
    for name, attribute in items.items():
        path = ("items", name)
        if name in RESERVED:
            raise refuse(path, "another name: this one has its meaning already", name)
        _check_one(attribute, path, refuse)


def check_users(users: Mapping[str, UserAttribute], refuse: Refuse) -> None:
    """As `check_items`, of users' attributes."""
    _check_names("users", users, MAX_ATTRIBUTES, refuse)
    for name, attribute in users.items():
        if name == USER_ID:
            raise refuse(("users", name), "another name: this one is that of the id", name)
        _check_many(attribute.type, attribute.many, ("users", name), refuse)
        _check_bands(attribute.type, attribute.bands, ("users", name), refuse)


def check_context(context: Mapping[str, ContextField], refuse: Refuse) -> None:
    """As `check_items`, of the context."""
    _check_names("context", context, MAX_CONTEXT, refuse)
    for name, each in context.items():
        _check_bands(each.type, each.bands, ("context", name), refuse)


def _check_names(table: str, given: Mapping[str, object], limit: int, refuse: Refuse) -> None:
    if len(given) > limit:
        raise refuse((table,), f"at most {limit} attributes", str(len(given)))
    for name in given:
        if not NAME.fullmatch(name):
            raise refuse((table, name), "a name of small letters, digits and _, at most 32", repr(name))


def _check_many(kind: AttributeType, many: bool, path: tuple[str, ...], refuse: Refuse) -> None:
    if many and kind != "facet":
        raise refuse((*path, "many"), "no `many`: a facet alone has several values", kind)


def _check_one(attribute: Attribute, path: tuple[str, ...], refuse: Refuse) -> None:
    kind = attribute.type
    _check_many(kind, attribute.many, path, refuse)
    _check_bands(kind, attribute.bands, path, refuse)
    if kind == "number":
        _check_number(attribute, path, refuse)
    elif attribute.tastes == "decade" or (attribute.tastes and kind != "facet"):
        raise refuse(
            (*path, "tastes"), 'true or false with a facet, "decade" with a number', f"{attribute.tastes} with {kind}"
        )
    if kind == "vector" and not 1 <= attribute.size <= MAX_VECTOR:
        raise refuse((*path, "size"), f"the vector's width, 1 to {MAX_VECTOR}", str(attribute.size or "nothing"))
    if kind != "vector" and attribute.size:
        raise refuse((*path, "size"), "no `size`: a vector alone has one", kind)


def _check_number(attribute: Attribute, path: tuple[str, ...], refuse: Refuse) -> None:
    if attribute.tastes is True:
        raise refuse((*path, "tastes"), '`tastes = "decade"` or `bands`: a number enters tastes by one of them', "true")
    if attribute.tastes == "decade" and attribute.bands:
        raise refuse((*path, "bands"), 'either `bands` or `tastes = "decade"`', "both")
    if attribute.tastes is False and attribute.bands:
        raise refuse((*path, "tastes"), "no `bands` with `tastes = false`", "both")


def _check_bands(kind: AttributeType, given: Sequence[Number], path: tuple[str, ...], refuse: Refuse) -> None:
    if given and kind != "number":
        raise refuse((*path, "bands"), "no `bands`: a number alone has them", kind)
    bands = list(given)
    if not all(map(math.isfinite, bands)) or bands != sorted(set(bands)) or len(bands) > MAX_BANDS:
        raise refuse((*path, "bands"), f"at most {MAX_BANDS} numbers, ascending", str(bands))
