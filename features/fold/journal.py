"""Journal: a user's memory and seen set as appended changes, where rewriting them for every event would cost too much.

A journal is a run of msgpack arrays, one a change, appended as events are applied:

    [id hash, ts, item id, kind, value in hundredths, undone, weight, partners]   an event remembered, or marked undone
    [item id, n, until]   an item hidden until then, seen at log position n; without `until`: for good
    [item id]             an item no longer hidden

Read from the start it gives memory and seen set again; what fell out of their bounds falls out again. It is cut into
chunks of 64 records; once most of it is history it is written anew (`Journal.rewrite`). Bases hold the same bytes.
"""

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, Final, NamedTuple

import msgspec

from features.errors import Broken
from features.fold.dedupe import Applied, Changes, DedupeMemory, SeenItems
from features.types import FOREVER, Millis

CHUNK: Final = 64
_SLACK: Final = 256
_MEMORY_FIELDS: Final = 8
"""Of the record of an event."""

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(list[list[Any]])


class Records(NamedTuple):
    """Encoded records of a journal, one behind the other, and where each of them ends."""

    data: bytes
    ends: list[int]


def records_of(memory: DedupeMemory, seen: SeenItems) -> Iterable[bytes]:
    """The shortest journal of a state."""
    for key, entry in memory.items():
        yield _encode((key, *entry))
    for item_id, n, until in seen.items():
        yield _seen_record(item_id, n, until)


def _seen_record(item_id: int, n: int | None, until: Millis) -> bytes:
    if n is None:
        return _encode((item_id,))
    return _encode((item_id, n) if until == FOREVER else (item_id, n, until))


def encode_records(memory: DedupeMemory, seen: SeenItems) -> Records:
    """The shortest journal of a state."""
    records = list(records_of(memory, seen))
    return Records(b"".join(records), list(accumulate(map(len, records))))


def hidden_items(count: int, data: bytes) -> dict[int, Millis]:
    """What the shortest journal of a state, of so many records, says is hidden: item → until when. Raises Broken where it is
    none."""
    found = (record for record in _read_records(count, data) if len(record) != _MEMORY_FIELDS)
    return {record[0]: record[2] if len(record) == 3 else FOREVER for record in found}


def _read_records(count: int, data: bytes) -> list[list[Any]]:
    try:
        return _decoder.decode(b"\xdd" + count.to_bytes(4, "big") + data)
    except msgspec.DecodeError as error:
        raise Broken(f"a journal of {count} records can't be read: {error}") from error


def replay_journal(pieces: Iterable[tuple[int, bytes]], floor: int) -> tuple[DedupeMemory, SeenItems]:
    """Memory and seen set from the (number of records, bytes) of a journal's pieces. Raises Broken where they are none."""
    memory, seen = DedupeMemory(floor=floor), SeenItems()
    for count, data in pieces:
        for record in _read_records(count, data):
            if len(record) == _MEMORY_FIELDS:
                key, ts, item_id, kind, centi, undone, weight, partners = record
                entry = Applied(ts, item_id, kind, centi, undone, weight, tuple(partners))
                if memory.get(key) is None:
                    memory.add(key, entry)
                elif undone:
                    memory.mark_undone(key)
            elif len(record) == 1:
                seen.shorten(record[0], 0)
            else:
                seen.restore(*(record if len(record) == 3 else (*record, FOREVER)))
    return memory, seen


class Journal:
    """The journal of one user as it grows: closed chunks, by number, and the open one."""

    __slots__ = ("_floor", "_outdated", "closed", "first", "next", "open", "open_count", "total")

    def __init__(
        self, first: int = 0, next_: int = 0, total: int = 0, open_count: int = 0, open_: bytes = b"", floor: int = -1
    ) -> None:
        """`first` … `next_` − 1 are the closed chunks kept elsewhere; `total` counts all records, open ones included."""
        self._floor = floor
        self._outdated = False
        self.first = first
        self.next = next_
        self.total = total
        self.open_count = open_count
        self.open = bytearray(open_)
        self.closed: list[tuple[int, int, bytes]] = []
        """(number, records, bytes) of chunks closed since the shell last took them."""

    def append(self, changes: Changes, floor: int) -> None:
        """Write what folds changed. `floor` is the memory's tombstone after them."""
        if floor != self._floor:  # the user was forgotten: so is all that was written
            self._floor = floor
            self._outdated = True
            return
        for key, entry in changes.memory:
            if entry is not None:
                self._add(_encode((key, *entry)))
        for item_id, n, until in changes.seen:
            self._add(_seen_record(item_id, n, until))

    def extend(self, records: Records) -> None:
        """Append records that folds gave as bytes."""
        start, done, count = 0, 0, len(records.ends)
        while count - done >= CHUNK - self.open_count:
            done += CHUNK - self.open_count
            self.open += records.data[start : records.ends[done - 1]]
            start = records.ends[done - 1]
            self._close(CHUNK)
        self.open += records.data[start:]
        self.open_count += count - done
        self.total += count

    def _add(self, record: bytes) -> None:
        self.open += record
        self.open_count += 1
        self.total += 1
        if self.open_count >= CHUNK:
            self._close(self.open_count)

    def _close(self, count: int) -> None:
        """Close the open chunk, which has so many records."""
        self.closed.append((self.next, count, bytes(self.open)))
        self.next += 1
        self.open.clear()
        self.open_count = 0

    def is_mostly_history(self, size: int) -> bool:
        """Whether the journal should be rewritten: most of it is history, or none of it counts any more. `size` is how many
        events are remembered and items hidden."""
        return self._outdated or self.total > 2 * size + _SLACK

    def rewrite(self, records: Records, floor: int) -> range:
        """Write the journal anew from the records of a state, whose tombstone is `floor`; the numbers of the chunks that are not
        needed any more."""
        dropped = range(self.first, self.next)
        self._floor, self._outdated = floor, False
        self.closed = []
        self.first = self.next
        self.total, self.open_count = 0, 0
        self.open.clear()
        self.extend(records)
        return dropped
