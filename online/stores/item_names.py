"""The ids outside of items whose ids are strings: inside they are numbers, and a number does not tell its string."""

from collections import OrderedDict
from typing import Final

from features.ids import OuterId
from features.types import ItemId
from online.support import metrics

HEARD: Final = 10_000


class ItemNames:
    """Names by number inside: those of the store's items without a bound of their own, of others the HEARD that were heard last;
    those forgotten are counted."""

    def __init__(self) -> None:
        self._saved: dict[ItemId, str] = {}
        self._heard: OrderedDict[ItemId, str] = OrderedDict()

    def keep(self, item_id: ItemId, outer: OuterId) -> None:
        """Remember the id outside of an item of the store, where it is a string that is not empty."""
        if isinstance(outer, str) and outer:
            self._saved[item_id] = outer
            self._heard.pop(item_id, None)

    def keep_heard(self, item_id: ItemId) -> None:
        """Remember what was heard of an item that the store has now."""
        self.keep(item_id, self._heard.get(item_id, ""))

    def hear(self, item_id: ItemId, outer: OuterId) -> None:
        """Remember an id outside for a while, where it is a string: for answers that come before its item's features."""
        if not isinstance(outer, str) or item_id in self._saved:
            return
        self._heard[item_id] = outer
        self._heard.move_to_end(item_id)
        if len(self._heard) > HEARD:
            self._heard.popitem(last=False)
            metrics.NAMES_FORGOTTEN.inc()

    def name_of(self, item_id: ItemId) -> str:
        """The id outside, where that is a string that was told; else ""."""
        return "" if item_id >= 0 else self._saved.get(item_id) or self._heard.get(item_id, "")
