"""Schemas that tests fold with."""

from typing import Final

from features.schema.tables import Schema, preset_schema
from features.types import Contribution

MOVIES: Final[Schema] = preset_schema("movies")
SHOP: Final[Schema] = preset_schema("shop")


def added(
    item_id: int, ts: int, kind: int, centi: int, sign: int, key: int = 0, partners: tuple[int, ...] = ()
) -> Contribution:
    """The contribution of an event of the films' schema: its weight is what the schema says."""
    return Contribution(item_id, ts, kind, centi, sign, MOVIES.weight(kind, centi), key, partners)
