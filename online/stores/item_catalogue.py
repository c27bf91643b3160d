"""The items that there are: those of the base lie in its mapped file, and what has changed since in memory."""

from collections.abc import Iterator
from itertools import chain

from features.base.reader import Base
from features.types import Item, ItemId


class Catalogue:
    """Whole items by id, deleted ones among them. One of the base is decoded when it is read, in some 2 µs; so a million items
    with their texts take no memory."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._changed: dict[ItemId, Item] = {}

    def get(self, item_id: ItemId) -> Item | None:
        """The newest state of an item; None for an unknown one."""
        return self._changed.get(item_id) or self._base.catalogue_item(item_id)

    def put(self, item: Item) -> None:
        """Put a new or changed item."""
        self._changed[item.item_id] = item

    def changed(self, item_id: ItemId) -> Item | None:
        """An item that was put; None for one that is as the base has it."""
        return self._changed.get(item_id)

    def __iter__(self) -> Iterator[Item]:
        """All items, in no order."""
        unchanged = (item for item in self._base.catalogue_items() if item.item_id not in self._changed)
        return chain(self._changed.values(), unchanged)
