"""The catalogue as of each of its versions, so that every run folds an event with the item as it was.

A version is a number of records of the topic `items`: version k has the changes with offsets below k over the base's items. Marks
in the users' partitions say from where on which version holds (`features.contracts.catalogue_mark`).
"""

from collections.abc import Iterator, Mapping

from features.types import Item, ItemId


class CatalogueVersions:
    """Items by version. Keeps every change since the base: a newer base lets them go.

    start  the version of the base's items
    end    the offset of the record to come next
    """

    def __init__(self, items: Mapping[ItemId, Item], start: int = 0) -> None:
        self._items = items
        self._changes: dict[ItemId, list[tuple[int, Item]]] = {}
        self.start = self.end = start

    def put(self, offset: int, item: Item | None) -> None:
        """Take the record at an offset, in their order; one that holds no item (None) only counts. One that was taken is passed
        over."""
        if offset < self.end:
            return
        if item is not None:
            self._changes.setdefault(item.item_id, []).append((offset, item))
        self.end = offset + 1

    def pass_to(self, offset: int) -> None:
        """Note that there are no more records before an offset."""
        self.end = max(self.end, offset)

    def item(self, item_id: ItemId, version: int) -> Item | None:
        """The item as of a version; None for one that it does not have."""
        changes = self._changes.get(item_id)
        if changes is not None:
            for offset, item in reversed(changes):
                if offset < version:
                    return item
        return self._items.get(item_id)

    def items(self, version: int) -> Iterator[Item]:
        """All items as of a version, by id."""
        for item_id in sorted({*self._items, *self._changes}):
            item = self.item(item_id, version)
            if item is not None:
                yield item
