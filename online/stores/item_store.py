"""All items' features in memory, as columns. They start from the base; `online.stores.item_follower` keeps them in step with
Redis."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from features.arrays import BoolArray, IntArray
from features.base.item_weights import Relations
from features.base.past_sessions import PastSessions
from features.base.reader import EASE, SIMILAR, Base
from features.base.repeat_lifts import Repeats
from features.base.segments import Segments
from features.fold.catalogue import as_put
from features.fold.co_visits import Neighbours
from features.fold.state import ItemFeatures, decode_item
from features.ids import OuterId
from features.inputs.columns import UNDATED, ItemColumns, popularity
from features.inputs.moment import ItemIndex, Together
from features.types import FOREVER, Item, ItemId, Millis
from online.stores.facets import Facets
from online.stores.first_puts import FirstPuts
from online.stores.item_catalogue import Catalogue
from online.stores.item_names import ItemNames
from online.stores.number_columns import NumberColumns

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ItemTotals:
    """Totals over all events of an item. mean_rating, rating_spread (standard deviation): stars, None without ratings;
    first_event_ts: ms, None before any."""

    ratings: int
    mean_rating: float | None
    rating_spread: float | None
    positives: int
    events: int
    first_event_ts: int | None


class _Showable:
    """mask: [N] which items lists may show, from `since` until `until` (ms), while the catalogue has changed so many times."""

    def __init__(self, changes: int, at: Millis, showable_until: IntArray) -> None:
        self.changes, self.mask = changes, showable_until > at
        self.since = int(showable_until.max(initial=0, where=~self.mask))
        self.until = int(showable_until.min(initial=FOREVER, where=self.mask))


class ItemStore:
    """Item features by row. The columns of the base's items come first, then new ones."""

    def __init__(self, base: Base) -> None:
        self.attributes = base.schema.items
        self.catalogue = Catalogue(base)
        ids = sorted({item.item_id for item in self.catalogue} | set(base.item_ids))
        self.columns = ItemColumns(len(ids))
        self.first_puts = FirstPuts(len(ids))
        self.changes = 0
        """Incremented for each item that is new or has changed."""
        self.lacks_changes = False
        """Whether items may have changed, or gone, since the base, of which nobody has said yet (`await_changes`)."""
        self._unknown: set[int] = set()
        """Rows of items that the catalogue does not have."""
        self._row_of: dict[ItemId, int] = {}
        self._showable_until: IntArray = np.zeros(len(ids), np.int64)
        """[N] the time (ms) from which on no list shows the item."""
        self._newest_mask = _Showable(-1, 0, self._showable_until)
        self.numbers = NumberColumns(self.attributes.declared, len(ids))
        self._time = next((name for name, each in self.attributes.declared.items() if each.type == "time"), None)
        self._deleted: set[int] = set()
        self.names = ItemNames()
        for item_id in ids:
            self._add_row(item_id)
        for item_id, value in base.all_item_features():
            features = decode_item(value)
            self.names.keep(item_id, features.item_id)
            self.columns.set_features(self._row_of[item_id], features, base.schema.unit)
        self.facets = Facets(self.attributes.facets, map(self.catalogue.get, ids))
        ease, similar = (base.relations(kind, self.columns.ids) for kind in (EASE, SIMILAR))
        sessions, repeats = base.past_sessions(self.columns.ids), base.repeats(self.columns.ids)
        together, segments = Together(len(ids)), base.segments(self.columns.ids)
        self.index = ItemIndex(
            self.columns, self._row_of, ease, similar, sessions, together, base.schema, repeats, segments
        )

    def __len__(self) -> int:
        return len(self._row_of)

    def _add_row(self, item_id: ItemId) -> int:
        row = len(self._row_of)
        if row >= len(self.columns):
            more = max(1024, row // 4)
            self.columns.grow(more)
            self.index.together.grow(more)
            self.numbers.grow(more)
            self._showable_until = np.concatenate([self._showable_until, np.zeros(more, np.int64)])
            self.first_puts.grow(more)
        self.names.keep_heard(item_id)
        self._set_row(row, item_id)
        self._row_of[item_id] = (
            row  # last: a search in another thread finds whole rows, and an order of titles without this
        )
        self.changes += 1  # one is no longer the newest
        return row

    def _set_row(self, row: int, item_id: ItemId) -> None:
        """Set a row's columns from the catalogue."""
        item = self.catalogue.get(item_id)
        self.columns.set_item(row, item_id, item, self._dated(item))
        self.numbers.put(row, item)
        if item is None:
            self._unknown.add(row)
            self._showable_until[row] = 0 if self.lacks_changes else FOREVER
        else:
            self._unknown.discard(row)
            self._showable_until[row] = showable_until(item)
            self.names.keep(item_id, item.outer)
        if item is not None and item.deleted:
            self._deleted.add(row)
        else:
            self._deleted.discard(row)
        self.first_puts.put(row, 0 if item is None or item.deleted else item.ts)
        self.changes += 1

    def _dated(self, item: Item | None) -> Millis:
        """When an item came out, ms, of a schema whose items count by no years: by the first time that the schema declares, else
        when it was first put; UNDATED where neither is known."""
        if item is None or item.deleted or self.attributes.era is not None:
            return UNDATED
        at = None if self._time is None else item.values.get(self._time)
        return at if isinstance(at, int) else item.ts or UNDATED

    def row(self, item_id: ItemId) -> int | None:
        """Row of an item; None for an unknown or deleted one."""
        row = self._row_of.get(item_id)
        return None if row in self._deleted else row

    def rows(self, item_ids: list[ItemId]) -> IntArray:
        """Rows of the known ones among these items."""
        row_of, deleted = self._row_of, self._deleted
        rows = [row for row in map(row_of.get, item_ids) if row is not None]
        if deleted:
            rows = [row for row in rows if row not in deleted]
        return np.array(rows, np.int64)

    def put_item(self, item: Item) -> None:
        """Put a new, changed or deleted item into the catalogue."""
        self._put(as_put(item, self.catalogue.get(item.item_id)))

    def _put(self, item: Item) -> None:
        self.catalogue.put(item)
        row = self._row_of.get(item.item_id)
        if row is None:
            row = self._add_row(item.item_id)
        else:
            self._set_row(row, item.item_id)
        self.facets.put(row, item)

    def take_back(self, item_id: ItemId) -> None:
        """Put an item as the base has it; one that the base does not have is deleted."""
        item = self.catalogue.of_base(item_id)
        self._put(item or msgspec.structs.replace(self.item_of(item_id), deleted=True))

    def await_changes(self) -> None:
        """Changes of items since the base are still to be read: until `has_changes`, lists show no item that the catalogue does
        not have, as it may be one that is withdrawn."""
        self._set_changes(lacks=True)

    def has_changes(self) -> None:
        """All changes that there were have been put."""
        self._set_changes(lacks=False)

    def _set_changes(self, lacks: bool) -> None:
        self.lacks_changes = lacks
        self._showable_until[list(self._unknown)] = 0 if lacks else FOREVER
        self.changes += 1

    def showable(self, at: Millis, size: int | None = None) -> BoolArray:
        """[N] whether lists may show the item at a time (ms); [size] of the first ones, for another thread, while N may grow."""
        showable = self._newest_mask
        if showable.changes != self.changes or not showable.since <= at < showable.until:
            showable = self._newest_mask = _Showable(self.changes, at, self._showable_until)
        return showable.mask[: len(self) if size is None else size].copy()

    def present(self, size: int) -> BoolArray:
        """[size] whether it is an item: not deleted. For another thread, too, while there may be more."""
        deleted = np.fromiter(self._deleted.copy(), np.int64)
        present = np.ones(size, bool)
        present[deleted[deleted < size]] = False
        return present

    def inside(self, outer: Sequence[OuterId]) -> list[ItemId]:
        """The numbers inside of ids outside. Raises BadInput for what is no id."""
        return [self.index.schema.ids.inside(each) for each in outer]

    def shown(self, item_id: ItemId) -> OuterId:
        """An item's id as answers give it; the number inside of a string that neither the catalogue nor an event told."""
        return self.index.schema.ids.shown(self.names.name_of(item_id) or item_id)

    def title_of(self, item_id: ItemId) -> str:
        """An item's title, also of a deleted one; "Item 7" where none is known."""
        item = self.catalogue.get(item_id)
        return f"Item {self.shown(item_id)}" if item is None else item.title

    def outline(self, item: Item, names: Sequence[str]) -> dict[str, Any]:
        """What an item is, as every answer that shows items says it. names: of the attributes."""
        return {
            "item_id": self.shown(item.item_id),
            "title": item.title,
            "image_url": item.image_url or UNSET,
            "attributes": self.attributes.shown(item, names),
        }

    def item_at(self, row: int) -> Item:
        """The item in a row, as `item_of`."""
        return self.item_of(int(self.columns.ids[row]))

    def item_of(self, item_id: ItemId) -> Item:
        """An item; only its id and a made-up title if the catalogue does not have it."""
        return self.catalogue.get(item_id) or Item(item_id, self.title_of(item_id))

    def totals(self, row: int) -> ItemTotals:
        """All events of the item in a row."""
        ratings, total, squares, positives, events, first = self.columns.sums[row].tolist()
        spread = max(squares / ratings - (total / ratings) ** 2, 0) ** 0.5 if ratings else None
        return ItemTotals(
            ratings=int(ratings),
            mean_rating=round(total / ratings, 3) if ratings else None,
            rating_spread=None if spread is None else round(spread, 3),
            positives=int(positives),
            events=int(events),
            first_event_ts=int(first) or None,
        )

    def popularity(self, rows: list[int], at: int) -> list[tuple[float, float]]:
        """(day, weeks) for each row: its events, halved every day and every 14 days up to `at` (ms)."""
        some = np.asarray(rows, np.int64)
        day, weeks = (popularity(self.columns, some, at, half_life).tolist() for half_life in (1.0, 14.0))
        return list(zip(day, weeks, strict=True))

    def put_features(self, item_id: ItemId, features: ItemFeatures) -> None:
        """Replace an item's live features; an unknown item gets a row."""
        self.names.keep(item_id, features.item_id)
        row = self._row_of.get(item_id)
        self.columns.set_features(self._add_row(item_id) if row is None else row, features, self.index.schema.unit)

    def take_weights(
        self, ease: Relations, similar: Relations, sessions: PastSessions, repeats: Repeats, segments: Segments
    ) -> None:
        """Replace the weights between items, of each, and of segments, as a base has them."""
        self.index = replace(
            self.index, ease=ease, similar=similar, sessions=sessions, repeats=repeats, segments=segments
        )

    def put_neighbours(self, neighbours: Neighbours) -> None:
        """Replace an item's live co-visits; ignored for an item without a row."""
        row = self._row_of.get(neighbours.item_id)
        if row is not None:
            self.index.together.put(row, neighbours, self._row_of)


def showable_until(item: Item) -> Millis:
    """The time (ms) from which on no list shows an item: FOREVER where lists may always show it, 0 where they may not."""
    return 0 if item.deleted or not item.available else item.expires or FOREVER
