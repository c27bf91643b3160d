"""A user as rows, and the room that rows need: arrays are made larger here, and nowhere else."""

from typing import Final

import msgspec
import numpy as np

from features.arrays import AnyArray, IntArray
from features.fold.state import UserFeatures, encode_features
from features.ids import OuterId
from features.kernel.users.hidden_items import move_items
from features.kernel.users.remembered_events import move_events
from features.kernel.users.row_types import HIDDEN, REMEMBERED, USER, User

_FEWEST_ROWS: Final = 4
_MAX_NEW_ROWS: Final = 1024
_OBJECTS: Final = 1200
"""Bytes of a UserRows beside its numbers: the object itself and those of its arrays."""
_encode = msgspec.msgpack.Encoder().encode
_HEADERS: Final = {bool(text): encode_features(UserFeatures(0, attributes=text))[:3] for text in ("", "{}")}
"""How the features begin as stored, without attributes and with them."""


def _new_user() -> IntArray:
    user = np.zeros(1, USER)
    user[0].kinds_counted, user[0].floor = len(UserFeatures(0).counts), -1
    return user.view(np.int64)


_NEW: Final = _new_user()
"""A user without any event, as numbers: NumPy copies a record field by field."""
_SIZES: Final = [
    entry[1] // 8
    for name, entry in (USER.fields or {}).items()
    if name in ("floor", "remembered_rows", "remembered", "hidden_rows", "hidden")
]
"""Where these stand in a USER, in numbers and in its order; by name each would take as long as all of them."""


class UserRows:
    """One user.

    arrays       the numbers
    outer        the id outside
    attributes   as canonical JSON
    features     as stored
    floor        the tombstone: up to then all is late
    size         how many events are remembered and items hidden
    free_events  how many more events there is room for
    free_items   how many more hidden items
    """

    __slots__ = (
        "_array_bytes",
        "_head",
        "_tail",
        "arrays",
        "attributes",
        "features",
        "floor",
        "free_events",
        "free_items",
        "outer",
        "size",
    )

    def __init__(
        self, outer: OuterId, attributes: str, features: bytes, limit: int, events: int = 0, items: int = 0
    ) -> None:
        """limit: events are remembered at most; there is room for so many events and hidden items, and a few more."""
        event_rows, item_rows = _growth(0, events), _growth(0, items)
        self.floor = -1
        self.size = 0
        self.arrays = User(
            _NEW.copy().view(USER), *_event_arrays(event_rows, event_rows >= limit), *_item_arrays(item_rows)
        )
        self.attributes = attributes
        self.features = features
        self.free_events, self.free_items = event_rows, item_rows
        self._array_bytes = _OBJECTS + sum(array.nbytes for array in self.arrays)
        self.outer = outer
        self._tail = _encode(attributes) if attributes else b""
        self._head = _HEADERS[bool(attributes)] + _encode(outer)

    def rename(self, outer: OuterId) -> None:
        """Give the user another id outside."""
        rest = self.features[len(self._head) :]
        self.outer = outer
        self._head = _HEADERS[bool(self.attributes)] + _encode(outer)
        self.features = self._head + rest

    def describe(self, attributes: str) -> None:
        """Give the user other attributes."""
        rest = self.features[len(self._head) : len(self.features) - len(self._tail)]
        self.attributes = attributes
        self._tail = _encode(attributes) if attributes else b""
        self._head = _HEADERS[bool(attributes)] + _encode(self.outer)
        self.features = self._head + rest + self._tail

    def note_sizes(self) -> None:
        """Take from the numbers how much there is, and how much room. Rows that count no more take up room until they are moved
        together, so where there are such there is none."""
        floor, events, remembered, items, hidden = self.arrays.user.view(np.int64)[_SIZES].tolist()
        self.floor, self.size = floor, remembered + hidden
        spread = self.size < events + items
        self.free_events = 0 if spread else len(self.arrays.events) - events
        self.free_items = 0 if spread else len(self.arrays.items) - items

    def become(self, other: "UserRows") -> None:
        """Take all that another user is."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))

    def set_features(self, written: bytes) -> None:
        """Take what `put_features` wrote."""
        self.features = self._head + written + self._tail

    @property
    def nbytes(self) -> int:
        """The memory that this user takes, about."""
        return self._array_bytes + len(self.features)

    def make_room(self, events: int, items: int, limit: int) -> None:
        """Have room for so many more events and hidden items; `limit` events are remembered at most."""
        if self.free_events < events:
            count = int(self.arrays.user[0].remembered)
            rows = count + _growth(count, events)
            old = self.arrays
            self.arrays = User(old.user, *_event_arrays(rows, rows >= limit), old.items, old.item_of)
            move_events(old, self.arrays)
            self.free_events = rows - count
        if self.free_items < items:
            count = int(self.arrays.user[0].hidden)
            rows = count + _growth(count, items)
            old = self.arrays
            self.arrays = User(old.user, old.events, old.event_of, old.heap, *_item_arrays(rows))
            move_items(old, self.arrays)
            self.free_items = rows - count
        self._array_bytes = _OBJECTS + sum(array.nbytes for array in self.arrays)


def _growth(count: int, more: int) -> int:
    """How many free rows to add to `count` where `more` are needed: these and half of `count`, in a large array fewer, so that a
    user who has as many events again in the next batch need not be moved again."""
    return max(more, min(more + max(count // 2, _FEWEST_ROWS), _MAX_NEW_ROWS))


def _event_arrays(rows: int, heap: bool) -> tuple[AnyArray, AnyArray, AnyArray]:
    return np.zeros(rows, REMEMBERED), _index(rows), np.zeros(rows if heap else 0, np.int32)


def _item_arrays(rows: int) -> tuple[AnyArray, AnyArray]:
    return np.zeros(rows, HIDDEN), _index(rows)


def _index(rows: int) -> AnyArray:
    """An empty index with room for so many rows, a third of it free at least."""
    return np.zeros(1 << (rows + rows // 2).bit_length(), np.int32)
