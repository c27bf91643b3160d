"""What an item is, as every answer that shows items says it."""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from features.ids import OuterId
from features.types import Item
from online.http.json_response import WithAttributes
from online.server import Server


class ItemOutline(WithAttributes, frozen=True, kw_only=True):
    """What an item is: id, title, image where it has one, and the attributes that `fields` names."""

    item_id: OuterId
    title: str
    image_url: str | UnsetType = UNSET
    attributes: dict[str, Any]


def outline(server: Server, item: Item, names: Sequence[str]) -> dict[str, Any]:
    """The fields of `ItemOutline`, for a struct that adds more. names: of attributes."""
    return {
        "item_id": server.items.shown(item.item_id),
        "title": item.title,
        "image_url": item.image_url or UNSET,
        "attributes": server.items.attributes.shown(item, names),
    }
