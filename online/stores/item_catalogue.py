"""The items that there are: those of the base lie in its mapped file, and what has changed since in memory."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Final

from features.base.reader import Base
from features.types import Item, ItemId

DECODED: Final = 8192
"""Items of the base that are retained as decoded, those read last."""


class Catalogue:
    """Whole items by id, deleted ones among them. Those of the base are decoded when they are read, and only DECODED of
    them stay; so a million items with their texts take no memory."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._of_base = lru_cache(DECODED)(base.catalogue_item)
        self._changed: dict[ItemId, Item] = {}

    def get(self, item_id: ItemId) -> Item | None:
        """The newest state of an item; None for an unknown one."""
        return self._changed.get(item_id) or self._of_base(item_id)

    def put(self, item: Item) -> None:
        """Put a new or changed item."""
        self._changed[item.item_id] = item

    def changed(self, item_id: ItemId) -> Item | None:
        """An item that was put; None for one that is as the base has it."""
        return self._changed.get(item_id)

    def changed_ids(self) -> Iterable[ItemId]:
        """The ids of all items that were put."""
        return self._changed.keys()

    def of_base(self, item_id: ItemId) -> Item | None:
        """An item as the base has it; None for one that it does not have."""
        return self._of_base(item_id)

    def __iter__(self) -> Iterator[Item]:
        """All items, in no order."""
        unchanged = (item for item in self._base.catalogue_items() if item.item_id not in self._changed)
        return chain(self._changed.values(), unchanged)
