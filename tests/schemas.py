"""Schemas that tests fold with."""

from collections.abc import Sequence
from typing import Any, Final

from features.schema.tables import Schema, preset_schema, read_schema
from features.types import Contribution, Item

MOVIES: Final[Schema] = preset_schema("movies")
SHOP: Final[Schema] = preset_schema("shop")
PEOPLE: Final = """
[users.plan]
type = "facet"
[users.interests]
type = "facet"
many = true
[users.born]
type = "number"
[users.joined]
type = "time"
[users.insider]
type = "flag"
[users.about]
type = "text"
[context.device]
type = "facet"
[context.hour]
type = "number"
[context.logged_in]
type = "flag"
"""
"""Tables of a schema: users have an attribute of each type, and so has the context."""


def peopled(preset: str) -> Schema:
    """A preset whose users have attributes, and whose events have a context."""
    return read_schema(f'preset = "{preset}"\n{PEOPLE}', f"{preset} with people")


def added(
    item_id: int, ts: int, kind: int, centi: int, sign: int, key: int = 0, partners: tuple[int, ...] = ()
) -> Contribution:
    """The contribution of an event of the films' schema: its weight is what the schema says."""
    return Contribution(item_id, ts, kind, centi, sign, MOVIES.weight(kind, centi), key, partners)


def film(item_id: int, title: str, genres: Sequence[str] = (), year: int = 0, **more: Any) -> Item:
    """A film of a data set; `more`: further fields of `Item`."""
    films = MOVIES.items
    return films.item(item_id, title, films.check({"genres": list(genres), "year": year or None}), **more)
