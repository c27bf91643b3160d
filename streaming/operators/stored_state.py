"""Encoding of the job's state in Flink: msgpack arrays that grow at their end, and read what older jobs have stored
(tests/streaming/operators/test_stored_state.py holds golden bytes); an older job does not read what this one stores. No pickled
classes.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import numpy as np

from features.arrays import IntArray
from features.errors import Broken
from features.kernel.contribution_rows import WIDTH, rows_of
from features.store.job_status import Lane
from features.types import Contribution, ItemId, Millis

STATE_VERSION: Final = 4
"""Part of each state's name in Flink. A change that makes old bytes unreadable raises it: states then start from the base."""
_LITTLE: Final = np.dtype("<i8")
_ROW_BYTES: Final = WIDTH * _LITTLE.itemsize


class StoredLive(msgspec.Struct, array_like=True, kw_only=True):
    """A user: features as in Redis, tombstone, next offset, and its journal (see `features.fold.journal`): chunks `first` …
    `next` − 1 are separate entries, `open` is the last one."""

    features: bytes
    floor: int
    n: int
    broker_ts: int
    first: int
    next: int
    total: int
    open_count: int
    open: bytes


class StoredLane(msgspec.Struct, array_like=True):
    """A lane of users: its counts and offsets (see `features.store.job_status.Lane`), the keys whose last writes Redis has not
    acknowledged, the contributions not yet sent to items, as rows (`features.kernel.contribution_rows`) of 8 bytes a number,
    little-endian, the catalogue's version (`features.fold.catalogue`), the shown lists not yet sent to items, (ts, items) each,
    the ids outside of items of those contributions that are strings, how many records of the topic `items` a restart found gone
    that it has known, and the offset before which those were gone already when it came to them."""

    n: int = 0
    s: int = 0
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    rerouted: int = 0
    served_applied: int = 0
    served_duplicate: int = 0
    served_late: int = 0
    served_rejected: int = 0
    watermark: int = 0
    broker_ts: int = 0
    samples: int = 0
    unsent: list[str] = msgspec.field(default_factory=list)
    pending: bytes = b""
    marks: int = 0
    catalogue: int = 0
    closed_early: int = 0
    unmatched: int = 0
    shown: list[tuple[Millis, tuple[ItemId, ...]]] = msgspec.field(default_factory=list)
    names: dict[ItemId, str] = msgspec.field(default_factory=dict)
    items_lost: int = 0
    items_begin: int = 0

    @property
    def waiting(self) -> int:
        """Contributions and lists not yet sent to items."""
        return len(self.pending) // _ROW_BYTES + len(self.shown)

    def add_pending(self, rows: IntArray, names: Mapping[ItemId, str]) -> None:
        """Have contributions wait: rows, and the ids outside of their items that are strings."""
        self.pending += rows.astype(_LITTLE, copy=False).tobytes()
        self.names |= names

    def take_pending(self) -> tuple[IntArray, dict[ItemId, str]]:
        """Returns the contributions that wait, which wait no longer."""
        taken = np.frombuffer(self.pending, _LITTLE).astype(np.int64, copy=False).reshape(-1, WIDTH), self.names
        self.pending, self.names = b"", {}
        return taken

    def count(self, verdict: str, times: int = 1) -> None:
        """Count records of `events` with that verdict."""
        setattr(self, verdict, getattr(self, verdict) + times)

    def count_list(self, verdict: str) -> None:
        """Count a record of `served` with that verdict."""
        self.count(f"served_{verdict}")

    def published(self, generation: int, open_lists: int) -> Lane:
        return Lane(
            generation=generation,
            next_offset=self.n,
            served_next=self.s,
            read=self.applied + self.duplicate + self.late + self.rejected + self.rerouted + self.marks,
            applied=self.applied,
            duplicate=self.duplicate,
            late=self.late,
            rejected=self.rejected,
            rerouted=self.rerouted,
            marks=self.marks,
            served_read=self.served_applied + self.served_duplicate + self.served_late + self.served_rejected,
            served_applied=self.served_applied,
            served_duplicate=self.served_duplicate,
            served_late=self.served_late,
            served_rejected=self.served_rejected,
            watermark_ms=self.watermark,
            broker_ms=self.broker_ts,
            open_lists=open_lists,
            samples=self.samples,
            closed_early=self.closed_early,
            unmatched=self.unmatched,
            items_lost=self.items_lost,
        )


class StoredState(msgspec.Struct, array_like=True):
    """An item's features, or its pairs, and the broker time of the newest record in them (ms)."""

    value: bytes
    broker_ts: int


_PENDING: Final = StoredLane.__struct_fields__.index("pending")

encode = msgspec.msgpack.Encoder().encode
decode_live = msgspec.msgpack.Decoder(StoredLive).decode
decode_keys = msgspec.msgpack.Decoder(list[str]).decode
decode_state = msgspec.msgpack.Decoder(StoredState).decode


def decode_lane(data: bytes) -> StoredLane:
    """A lane, whichever job stored it. Raises msgspec.DecodeError where the bytes are none."""
    fields, before = msgspec.msgpack.decode(data), []
    if len(fields) > _PENDING and isinstance(fields[_PENDING], list):
        before, fields[_PENDING] = msgspec.convert(fields[_PENDING], list[Contribution]), b""
    lane = msgspec.convert(fields, StoredLane)
    lane.add_pending(rows_of(before), {each.item_id: each.item for each in before if each.item})
    return lane


def require_state(version: int) -> None:
    """Raise Broken where a home's checkpoints hold states of another version: the offsets in them would be taken without them."""
    if version != STATE_VERSION:
        raise Broken(
            f"the job's state has version {STATE_VERSION}, this home's {version or 'an older one'}: `./martlet down` and `up` "
            "fold the log anew"
        )


def pack_ids(ids: Iterable[int]) -> bytes:
    """Encode ids as 8 bytes each, little-endian."""
    values = list(ids)
    return struct.pack(f"<{len(values)}q", *values)


def unpack_ids(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 8}q", data)
