"""The catalogue as of each of its versions, so that every run folds an event with the item as it was.

A version is a number of records of the topic `items`: version k has the changes with offsets below k over the base's items. Marks
in the users' partitions say from where on which version holds (`features.contracts.catalogue_mark`).
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping

import msgspec

from features.types import Item, ItemId, Millis


def as_folded(item: Item) -> Item:
    """The item as far as the fold reads it: a title, a price within its band or what is sold out makes no other one.

    >>> as_folded(Item(7, "Heat", {"genres": ("Crime",)}, tastes=("Crime",))) == Item(7, "", tastes=("Crime",))
    True
    """
    return Item(item.item_id, "", tastes=item.tastes)


def as_put(item: Item, known: Item | None) -> Item:
    """The item of a record, with when it was first put: one that was there before it (`known`), and was no deleted one, is no
    newer by a change. All who read the topic `items` take its records by this, in their order.

    >>> as_put(Item(7, "Heat", ts=5), Item(7, "Het", ts=3)).ts, as_put(Item(7, "Heat", ts=5), None).ts
    (3, 5)
    """
    return item if known is None or known.deleted else msgspec.structs.replace(item, ts=known.ts)


class Arrivals:
    """When each record of the topic `items` came, by the broker. Whether a mark may name a version is settled by that and the
    mark's own time, so that every run decides alike, however late it reads.

    start  the version from which on they are known
    end    the offset of the record to come next
    """

    def __init__(self, start: int = 0) -> None:
        self.start = self.end = start
        self._offsets, self._times = array("q"), array("q")

    def put(self, offset: int, ts: Millis) -> None:
        """Note the next record."""
        self._offsets.append(offset)
        self._times.append(ts)
        self.end = offset + 1

    def pass_to(self, offset: int) -> None:
        """Note that there are no more records before an offset."""
        self.end = max(self.end, offset)

    def holds(self, version: int, ts: Millis) -> bool:
        """Whether the records of a version were there when a mark came at `ts`."""
        if version > self.end:
            return False
        newest = bisect_left(self._offsets, version) - 1
        return newest < 0 or self._times[newest] <= ts


class CatalogueVersions:
    """Items by version. Keeps the changes since the base, as long as they are given: a newer base lets them go.

    start     the version of the base's items
    arrivals  of all records since
    """

    def __init__(self, items: Mapping[ItemId, Item], start: int = 0) -> None:
        self._items = items
        self._changes: dict[ItemId, list[tuple[int, Item]]] = {}
        self.start = start
        self.arrivals = Arrivals(start)

    @property
    def end(self) -> int:
        """The offset of the record to come next."""
        return self.arrivals.end

    @property
    def changes(self) -> int:
        """How many changes are kept."""
        return sum(map(len, self._changes.values()))

    def put(self, offset: int, ts: Millis, item: Item | None) -> None:
        """Take the record at an offset, which the broker took at `ts`, in their order; one that holds no item (None), or the same
        as before, only counts. One that was taken is passed over."""
        if offset < self.end:
            return
        self.arrivals.put(offset, ts)
        if item is not None:
            changes = self._changes.setdefault(item.item_id, [])
            if not changes or changes[-1][1] != item:
                changes.append((offset, item))

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
