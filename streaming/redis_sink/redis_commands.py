"""Commands of the writer: one type of write for users, one for items and pairs, one for a lane's numbers, one for the stream of
changed items, two for what the writer says of itself."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

import hiredis

from features.keys import CHANGED_KEYS, ITEMS_RETAINED
from features.store.job_status import FRESH_TTL_S, Lane
from features.store.redis_scripts import (
    CHANGE,
    REPLACE,
    WRITE_ITEM,
    WRITE_LANE,
    WRITE_USER,
    item_arguments,
    lane_arguments,
    user_arguments,
)

SCRIPTS: Final = (WRITE_USER, WRITE_ITEM, WRITE_LANE)
SHA: Final = {script: hashlib.sha1(script.encode()).hexdigest() for script in SCRIPTS}


class Write(Protocol):
    """The newest state of one key. `broker_ts` is 0 if its freshness is not measured."""

    @property
    def broker_ts(self) -> int: ...

    @property
    def is_change(self) -> bool:
        """Whether it changes what a later write to its key may not."""
        ...

    def after(self, earlier: "Write") -> "Write":
        """Returns this write, merged with an earlier one to the same key that was not sent. Both stay as they are."""
        ...

    def command(self, key: str, generation: int) -> bytes: ...


def _script(script: str, keys: Iterable[str], arguments: Iterable[bytes | str | int]) -> bytes:
    names = list(keys)
    packed: bytes = hiredis.pack_command(("EVALSHA", SHA[script], len(names), *names, *arguments))
    return packed


@dataclass(slots=True)
class UserWrite:
    """A user's features, and what is hidden, by item until when (ms; 0: shown again), as far as it changed since the last write.
    `whole`: `seen` is all of it."""

    n: int
    broker_ts: int
    value: bytes
    seen: dict[int, int] = field(default_factory=dict)
    whole: bool = False

    @property
    def is_change(self) -> bool:
        return self.whole or bool(self.seen)

    def after(self, earlier: Write) -> "UserWrite":
        assert isinstance(earlier, UserWrite)
        if self.whole:
            return self
        return UserWrite(self.n, self.broker_ts, self.value, earlier.seen | self.seen, earlier.whole)

    def command(self, key: str, generation: int) -> bytes:
        mode = REPLACE if self.whole else CHANGE
        arguments = user_arguments(generation, self.n, self.broker_ts, self.value, mode, self.seen)
        return _script(WRITE_USER, (key, f"{key}:seen", f"{key}:hidden"), arguments)


@dataclass(slots=True)
class StateWrite:
    """Features of an item, or its neighbours."""

    n: int
    broker_ts: int
    value: bytes
    is_change = False

    def after(self, earlier: Write) -> "StateWrite":
        return self

    def command(self, key: str, generation: int) -> bytes:
        return _script(WRITE_ITEM, (key,), item_arguments(generation, self.n, self.broker_ts, self.value))


@dataclass(slots=True)
class LaneWrite:
    lane: Lane
    broker_ts: int = 0
    is_change = False

    def after(self, earlier: Write) -> "LaneWrite":
        return self

    def command(self, key: str, generation: int) -> bytes:
        return _script(WRITE_LANE, (key,), lane_arguments(self.lane))


@dataclass(slots=True)
class Announcement:
    """That the features of items have changed, by key. To be written behind them, to ITEMS_STREAM."""

    keys: tuple[str, ...]
    broker_ts: int = 0
    is_change = True

    def after(self, earlier: Write) -> "Announcement":
        assert isinstance(earlier, Announcement)
        return Announcement(tuple(dict.fromkeys((*earlier.keys, *self.keys))))

    def command(self, key: str, generation: int) -> bytes:
        entry = ("XADD", key, "MAXLEN", "~", ITEMS_RETAINED, "*", CHANGED_KEYS, ",".join(self.keys))
        packed: bytes = hiredis.pack_command(entry)
        return packed


@dataclass(slots=True)
class FieldWrite:
    """A field of a hash, as it is."""

    name: str
    value: str
    broker_ts: int = 0
    is_change = False

    def after(self, earlier: Write) -> "FieldWrite":
        return self

    def command(self, key: str, generation: int) -> bytes:
        packed: bytes = hiredis.pack_command(("HSET", key, self.name, self.value))
        return packed


@dataclass(slots=True)
class Report:
    """How fresh the writes of an operator's subtask were so far, as JSON."""

    freshness: bytes
    broker_ts: int = 0
    is_change = False

    def after(self, earlier: Write) -> "Report":
        return self

    def command(self, key: str, generation: int) -> bytes:
        packed: bytes = hiredis.pack_command(("SET", key, self.freshness, "EX", FRESH_TTL_S))
        return packed
