"""What an item is, as every answer that shows items says it."""

from typing import Any

from msgspec import UNSET, UnsetType

from features.ids import OuterId
from online.http.json_response import WithAttributes


class ItemOutline(WithAttributes, frozen=True, kw_only=True):
    """What an item is: id, title, image where it has one, and the attributes that `fields` names."""

    item_id: OuterId
    title: str
    image_url: str | UnsetType = UNSET
    attributes: dict[str, Any]
