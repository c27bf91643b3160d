"""Item-to-item co-visitation, live: what people who just liked this liked close to it.

Of each item the newest 192 co-visits are kept, by (ts, event, other item), wherever they come from: the same set whatever the
order they come in. A co-visit that is taken back keeps its slot. The neighbours are derived from the slots, weighted by
2^(−age / 14 d). Exponential decay fades all of an item's slots alike, so their order never changes with time alone.
"""

import heapq
import struct
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from features.decay import HALF_LIVES, decayed
from features.words import Contribution, ItemId, Millis, Slot

PARTNERS: Final = 3
"""A positive event pairs its item with so many of the user's latest other positive items …"""
PARTNER_WITHIN: Final = 7 * 86_400_000
"""… that lie at most this far from it in event time (ms)."""
SLOTS: Final = 192
NEIGHBOURS: Final = 20
_HALF_LIFE: Final = HALF_LIVES[-1]


class Neighbours(msgspec.Struct, array_like=True):
    """What Redis holds of an item's pairs, at most 400 bytes.

    item_id  the item
    n        co-visits folded in, undone ones included: the fence of its writes
    ts       time of the newest co-visit, ms
    top      at most 20 (item id, weight in 1/65,536 co-visit as of ts), best first, ties by id
    """

    item_id: ItemId
    n: int = 0
    ts: Millis = 0
    top: list[tuple[ItemId, int]] = msgspec.field(default_factory=list)


class _StoredPairs(msgspec.Struct, array_like=True):
    n: int
    places: bytes
    undone: bytes


# Time, event, other item as 24 bytes whose order is that of the three numbers (a hash is signed: shifted).
_PLACE = struct.Struct(">QQQ")
_SIGN: Final = 1 << 63


class Pairs:
    """The newest co-visits of one item."""

    __slots__ = ("_heap", "_limit", "_undone", "item_id", "n")

    def __init__(self, item_id: ItemId, n: int = 0, limit: int = SLOTS) -> None:
        self.item_id = item_id
        self.n = n
        self._limit = limit
        self._undone: dict[bytes, bool] = {}
        self._heap: list[bytes] = []

    def __len__(self) -> int:
        return len(self._heap)

    def fold(self, ts: Millis, key: int, other: ItemId, sign: int) -> None:
        """Add a co-visit, or mark one as taken back if it is still kept."""
        self.n += 1
        place = _PLACE.pack(ts, key + _SIGN, other)
        if sign < 0:
            if place in self._undone:
                self._undone[place] = True
        elif place in self._undone:
            return  # the same event of two users, or again after it was forgotten: one co-visit
        elif len(self._heap) < self._limit:
            heapq.heappush(self._heap, place)
            self._undone[place] = False
        elif place > self._heap[0]:
            del self._undone[heapq.heapreplace(self._heap, place)]
            self._undone[place] = False

    def neighbours(self) -> Neighbours:
        """The other items by weight, as of the newest co-visit."""
        if not self._undone:
            return Neighbours(self.item_id, self.n)
        places = np.frombuffer(b"".join(self._undone), ">u8").reshape(-1, 3).astype(np.int64)
        counted = np.frombuffer(bytes(self._undone.values()), np.bool_)
        newest = int(places[:, 0].max())
        ages = newest - places[~counted, 0]
        others, at = np.unique(places[~counted, 2], return_inverse=True)
        weights = np.zeros(len(others), np.int64)
        np.add.at(weights, at, decayed(ages, _HALF_LIFE))
        best = np.lexsort((others, -weights))[:NEIGHBOURS]
        top = list(zip(others[best].tolist(), weights[best].tolist(), strict=True))
        return Neighbours(self.item_id, self.n, newest, top)

    def encode(self) -> bytes:
        """The whole state, for Flink and bases: at most 5 kB. Equal for equal states."""
        places = sorted(self._undone)
        return _encoder.encode(_StoredPairs(self.n, b"".join(places), bytes(self._undone[place] for place in places)))

    @classmethod
    def decode(cls, item_id: ItemId, data: bytes) -> "Pairs":
        """Raises msgspec.DecodeError where the bytes are no Pairs."""
        stored = _stored_decoder.decode(data)
        pairs = cls(item_id, stored.n)
        size = _PLACE.size
        for at, undone in enumerate(stored.undone):
            place = stored.places[at * size : (at + 1) * size]
            pairs._undone[place] = bool(undone)
            pairs._heap.append(place)
        return pairs


def slots_of(contribution: Contribution) -> Iterator[Slot]:
    """The co-visits that a contribution adds or takes back: each pair from both sides."""
    item_id, ts, _, _, sign, key, partners = contribution
    for other in partners:
        yield Slot(item_id, ts, key, other, sign)
        yield Slot(other, ts, key, item_id, sign)


_encoder = msgspec.msgpack.Encoder()
_stored_decoder = msgspec.msgpack.Decoder(_StoredPairs)
_decoder = msgspec.msgpack.Decoder(Neighbours)


def encode_neighbours(neighbours: Neighbours) -> bytes:
    return _encoder.encode(neighbours)


def decode_neighbours(data: bytes) -> Neighbours:
    """Raises msgspec.DecodeError where the bytes are no Neighbours."""
    return _decoder.decode(data)
