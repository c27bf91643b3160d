"""Item-to-item co-visitation, live: what people who just liked this liked close to it.

Of each item the newest 192 co-visits are kept, by (ts, event, other item), wherever they come from: the same set whatever the
order they come in. A co-visit that is taken back keeps its slot. The neighbours are derived from the slots, weighted by
2^(−age / 14 d). Exponential decay fades all of an item's slots alike, so their order never changes with time alone.
"""

import struct
from bisect import bisect_left
from typing import Final

import msgspec

from features.fold.decay import HALF_LIVES, decay, lifted
from features.types import Contribution, ItemId, Millis, Slot

PARTNERS: Final = 3
"""A positive event pairs its item with so many of the user's latest other positive items that are close to it in event time, as
the schema says."""
SLOTS: Final = 192
NEIGHBOURS: Final = 20
_HALF_LIFE: Final = HALF_LIVES[-1]


class Neighbours(msgspec.Struct, array_like=True):
    """An item's neighbours as Redis holds them, at most 400 bytes.

    item_id  the item
    n        co-visits folded in, undone ones included: the fence of its writes
    ts       time of the newest co-visit, ms
    top      at most 20 (item id, weight in 1/65,536 co-visit and units of the schema as of ts), best first, ties by id
    """

    item_id: ItemId
    n: int = 0
    ts: Millis = 0
    top: list[tuple[ItemId, int]] = msgspec.field(default_factory=list)


class StoredPairs(msgspec.Struct, array_like=True):
    """The form in Flink's state and in bases.

    n       co-visits folded in, undone ones included
    visits  each VISIT_BYTES: time, event, other item and weight, big-endian, the oldest first
    undone  a byte of each visit: 1 if it was taken back
    """

    n: int
    visits: bytes
    undone: bytes


# Time, event, other item, weight as 26 bytes whose order is that of the four numbers. A hash is signed: it is shifted. The other
# item's number comes as it lies in memory, so that ids below 0 come after all others.
_VISIT = struct.Struct(">QQQH")
VISIT_BYTES: Final = _VISIT.size
_SIGN: Final = 1 << 63
_WRAP: Final = 1 << 64


class Pairs:
    """The newest co-visits of one item, and what they weigh together by other item, in units of the schema.

    Weights stand as of an epoch, as those of users do (`features.fold.decay.lifted`), that of the newest co-visit: what comes
    adds its weight, what goes takes the same away, and only a new epoch weighs all anew.
    """

    __slots__ = ("_epoch", "_limit", "_undone", "_visits", "_weights", "item_id", "n")

    def __init__(self, item_id: ItemId, n: int = 0, limit: int = SLOTS) -> None:
        self.item_id = item_id
        self.n = n
        self._limit = limit
        self._visits: list[bytes] = []
        """Ascending: the newest is the last."""
        self._undone: set[bytes] = set()
        self._epoch = 0
        self._weights: dict[ItemId, int] = {}

    def __len__(self) -> int:
        return len(self._visits)

    def fold(self, ts: Millis, key: int, other: ItemId, weight: int) -> None:
        """Add a co-visit, or mark one as taken back (a weight below 0) if it is still kept."""
        self.n += 1
        visit = _VISIT.pack(ts, key + _SIGN, other % _WRAP, abs(weight))
        visits = self._visits
        at = bisect_left(visits, visit)
        if at < len(visits) and visits[at] == visit:
            # Adding what is there: the same event of two users, or again after it was forgotten. It is one co-visit.
            if weight < 0 and visit not in self._undone:
                self._undone.add(visit)
                self._weigh(ts, other, weight)
            return
        if weight < 0 or (at == 0 and len(visits) >= self._limit):
            return
        visits.insert(at, visit)
        if at == len(visits) - 1 and ts // _HALF_LIFE != self._epoch:
            self._weigh_all()
        else:
            self._weigh(ts, other, weight)
        if len(visits) > self._limit:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        visit = self._visits.pop(0)
        if visit in self._undone:
            self._undone.remove(visit)
        else:
            ts, other, weight = _unpack(visit)
            self._weigh(ts, other, -weight)

    def _weigh(self, ts: Millis, other: ItemId, weight: int) -> None:
        epoch, gain = lifted(ts, _HALF_LIFE)
        total = self._weights.get(other, 0) + weight * (gain >> self._epoch - epoch)
        if total:
            self._weights[other] = total
        else:
            self._weights.pop(other, None)

    def _weigh_all(self) -> None:
        newest, *_ = _VISIT.unpack(self._visits[-1])
        self._epoch = newest // _HALF_LIFE
        self._weights = {}
        for visit in self._visits:
            if visit not in self._undone:
                ts, other, weight = _unpack(visit)
                self._weigh(ts, other, weight)

    def neighbours(self) -> Neighbours:
        """The other items by weight, as of the newest co-visit. What has faded to nothing is none."""
        if not self._visits:
            return Neighbours(self.item_id, self.n)
        newest, *_ = _VISIT.unpack(self._visits[-1])
        best = sorted((-weight, other) for other, weight in self._weights.items())[:NEIGHBOURS]
        since = newest - self._epoch * _HALF_LIFE
        top = [(other, decay(-weight, since, _HALF_LIFE)) for weight, other in best]
        return Neighbours(self.item_id, self.n, newest, top)

    def encode(self) -> bytes:
        """The whole state, for Flink and bases: at most 5.3 kB. Equal for equal states."""
        undone = [visit in self._undone for visit in self._visits] if self._undone else len(self._visits)
        return _encoder.encode(StoredPairs(self.n, b"".join(self._visits), bytes(undone)))

    @classmethod
    def decode(cls, item_id: ItemId, data: bytes) -> "Pairs":
        """Raises msgspec.DecodeError where the bytes are no Pairs."""
        stored = decode_pairs(data)
        pairs = cls(item_id, stored.n)
        pairs._visits = [stored.visits[at : at + VISIT_BYTES] for at in range(0, len(stored.visits), VISIT_BYTES)]
        pairs._undone = {visit for visit, undone in zip(pairs._visits, stored.undone, strict=True) if undone}
        if pairs._visits:
            pairs._weigh_all()
        return pairs


def _unpack(visit: bytes) -> tuple[Millis, ItemId, int]:
    ts, _, other, weight = _VISIT.unpack(visit)
    return ts, other - _WRAP if other >= _SIGN else other, weight


def slots_of(contribution: Contribution) -> list[Slot]:
    """The co-visits that a contribution adds or takes back: each pair from both sides."""
    item_id, ts, _, _, sign, weight, key, partners, _ = contribution
    slots = []
    for other in partners:
        slots.append((item_id, ts, key, other, sign * weight))
        slots.append((other, ts, key, item_id, sign * weight))
    return slots


_encoder = msgspec.msgpack.Encoder()
decode_pairs = msgspec.msgpack.Decoder(StoredPairs).decode
_decoder = msgspec.msgpack.Decoder(Neighbours)


def encode_neighbours(neighbours: Neighbours) -> bytes:
    return _encoder.encode(neighbours)


def decode_neighbours(data: bytes) -> Neighbours:
    """Raises msgspec.DecodeError where the bytes are no Neighbours."""
    return _decoder.decode(data)
