"""What all answers about items say of one."""

from typing import Any

import msgspec

from features.types import Item


class ItemOutline(msgspec.Struct, frozen=True, kw_only=True):
    """What an item is. year: null where unknown."""

    item_id: int
    title: str
    genres: tuple[str, ...]
    year: int | None


class Popularity(msgspec.Struct, frozen=True):
    """Events of an item, halved every day and every 14 days."""

    day: float
    weeks: float


def outline(item: Item) -> dict[str, Any]:
    """The fields of `ItemOutline`, for a struct that adds more."""
    return {"item_id": item.item_id, "title": item.title, "genres": item.genres, "year": item.year or None}
