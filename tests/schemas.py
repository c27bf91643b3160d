"""Schemas that tests fold with."""

from collections.abc import Sequence
from typing import Any, Final

from features.schema.tables import Schema, preset_schema
from features.types import Contribution, Item

MOVIES: Final[Schema] = preset_schema("movies")
SHOP: Final[Schema] = preset_schema("shop")


def added(
    item_id: int, ts: int, kind: int, centi: int, sign: int, key: int = 0, partners: tuple[int, ...] = ()
) -> Contribution:
    """The contribution of an event of the films' schema: its weight is what the schema says."""
    return Contribution(item_id, ts, kind, centi, sign, MOVIES.weight(kind, centi), key, partners)


def film(item_id: int, title: str, genres: Sequence[str] = (), year: int = 0, **more: Any) -> Item:
    """A film of a data set; `more`: further fields of `Item`."""
    films = MOVIES.items
    return films.item(item_id, title, films.check({"genres": list(genres), "year": year or None}), **more)
