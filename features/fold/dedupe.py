"""Deduplication state of a user, apart from the features: the events it has applied, and the items the user has seen.

Both are bounded. A shell with incremental storage lets them collect what changes (`UserState.collect_changes`) and drains it
after each fold; for all others nothing is collected.
"""

import heapq
from collections.abc import Iterable
from typing import Final, NamedTuple

from features.types import FOREVER, Millis

REMEMBERED: Final = 4096
"""Dedupe window of a user: the newest events, by (ts, id hash)."""
SEEN_LIMIT: Final = 20_000


class Applied(NamedTuple):
    """An applied event as the memory keeps it: enough to know it again and to take it back. weight: what it counted, in units of
    the schema."""

    ts: Millis
    item_id: int
    kind: int
    centi: int
    undone: bool
    weight: int = 0
    partners: tuple[int, ...] = ()


class Changes(NamedTuple):
    """The changes that folds made to a memory and a seen set, in order.

    memory  (id hash, the entry that was added or marked; None: dropped)
    seen    (item id, log position n; None: no longer seen, until when it is hidden)
    """

    memory: list[tuple[int, Applied | None]]
    seen: list[tuple[int, int | None, Millis]]


class DedupeMemory:
    """The newest 4,096 applied events of one user, by (ts, id hash).

    An id that is remembered is a duplicate. Once full, what is older than the oldest remembered is late: it may have
    been applied and forgotten. `floor` is the tombstone that `forget_user` leaves: up to that time all is late.
    """

    def __init__(
        self, entries: Iterable[tuple[int, Applied]] = (), floor: Millis = -1, limit: int = REMEMBERED
    ) -> None:
        self._entries = dict(entries)
        self._heap = [(entry.ts, key) for key, entry in self._entries.items()]
        heapq.heapify(self._heap)
        self._limit = limit
        self.floor = floor
        self.changes: list[tuple[int, Applied | None]] | None = None
        """Collected since they were last drained; None: not collected."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: int) -> Applied | None:
        return self._entries.get(key)

    def items(self) -> Iterable[tuple[int, Applied]]:
        return self._entries.items()

    def is_late(self, ts: Millis, key: int) -> bool:
        """Whether an unknown event is too old to be distinguished from one that was applied and forgotten."""
        return ts <= self.floor or (len(self._heap) >= self._limit and (ts, key) < self._heap[0])

    def add(self, key: int, entry: Applied) -> None:
        self._entries[key] = entry
        heapq.heappush(self._heap, (entry.ts, key))
        changes = self.changes
        if changes is not None:
            changes.append((key, entry))
        if len(self._heap) > self._limit:
            _, oldest = heapq.heappop(self._heap)
            del self._entries[oldest]
            if changes is not None:
                changes.append((oldest, None))

    def mark_undone(self, key: int) -> None:
        entry = self._entries[key]._replace(undone=True)
        self._entries[key] = entry
        if self.changes is not None:
            self.changes.append((key, entry))

    def forget(self, floor: Millis) -> None:
        """Drop all entries, and take everything up to `floor` for late."""
        if self.changes is not None:
            self.changes.extend((key, None) for key in self._entries)
        self._entries.clear()
        self._heap.clear()
        self.floor = max(self.floor, floor)


class SeenItems:
    """The items that are kept out of a user's lists, at most 20,000; the one not touched for longest goes first.

    Keeps for each item the log position `n` at which it was last seen, which is also their order, and the time until which it is
    hidden: FOREVER, or an event time in ms.
    """

    def __init__(self, items: Iterable[tuple[int, int, Millis]] = (), limit: int = SEEN_LIMIT) -> None:
        self._items = {item_id: (n, until) for item_id, n, until in sorted(items, key=lambda item: item[1])}
        self._limit = limit
        self.changes: list[tuple[int, int | None, Millis]] | None = None
        """As those of DedupeMemory."""

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item_id: int) -> bool:
        return item_id in self._items

    def items(self) -> Iterable[tuple[int, int, Millis]]:
        """(item id, n, until) of each, the one not touched for longest first."""
        return ((item_id, n, until) for item_id, (n, until) in self._items.items())

    def add(self, item_id: int, n: int, until: Millis = FOREVER) -> None:
        """Hide an item until then, or for longer if it is hidden for longer already."""
        known = self._items.pop(item_id, None)
        if known is not None and known[1] > until:
            until = known[1]
        self._items[item_id] = (n, until)
        changes = self.changes
        if changes is not None:
            changes.append((item_id, n, until))
        if len(self._items) > self._limit:
            oldest = next(iter(self._items))
            del self._items[oldest]
            if changes is not None:
                changes.append((oldest, None, 0))

    def shorten(self, item_id: int, until: Millis) -> None:
        """Hide an item until then and no longer; 0: not at all. Of one that is not hidden nothing changes."""
        known = self._items.get(item_id)
        if known is None or known[1] == until:
            return
        if until:
            self._items[item_id] = (known[0], until)
        else:
            del self._items[item_id]
        if self.changes is not None:
            self.changes.append((item_id, known[0] if until else None, until))

    def restore(self, item_id: int, n: int, until: Millis) -> None:
        """Take in what a journal says: it holds, even if it is shorter than before. With the item's own n it is a time that was
        shortened, and the item stays where it is."""
        known = self._items.get(item_id)
        if known is not None and known[0] == n:
            self._items[item_id] = (n, until)
            return
        self.shorten(item_id, 0)
        self.add(item_id, n, until)

    def clear(self) -> None:
        if self.changes is not None:
            self.changes.extend((item_id, None, 0) for item_id in self._items)
        self._items.clear()
