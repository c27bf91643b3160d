"""Commands of the writer: one type of write for users, one for items and pairs, one for a lane's numbers."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

import hiredis

from features.store.job_status import Lane
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

    def after(self, earlier: "Write") -> "Write":
        """Returns this write, merged with an earlier one to the same key that was not sent."""
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

    def after(self, earlier: Write) -> "UserWrite":
        assert isinstance(earlier, UserWrite)
        if not self.whole:
            self.seen = earlier.seen | self.seen
            self.whole = earlier.whole
        return self

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

    def after(self, earlier: Write) -> "StateWrite":
        return self

    def command(self, key: str, generation: int) -> bytes:
        return _script(WRITE_ITEM, (key,), item_arguments(generation, self.n, self.broker_ts, self.value))


@dataclass(slots=True)
class LaneWrite:
    lane: Lane
    broker_ts: int = 0

    def after(self, earlier: Write) -> "LaneWrite":
        return self

    def command(self, key: str, generation: int) -> bytes:
        return _script(WRITE_LANE, (key,), lane_arguments(self.lane))
