"""A user's freshest features: from Redis in one round trip, or from the base while Redis is down."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hiredis import ReplyError, pack_command

from features.base.reader import Base
from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import Server, slot_of
from features.errors import Unavailable
from features.fold.state import UserFeatures, decode_user
from features.fold.user import thaw_stored
from features.keys import (
    APPLIED_TS,
    BROKER_TS,
    CLOCK_KEY,
    GENERATION,
    VALUE,
    N,
    hidden_key,
    seen_key,
    user_key,
)
from features.store.loaded_marks import loaded_keys
from features.types import FOREVER, ItemId, Millis, UserId
from online.redis_client.redis_reader import RedisReader
from online.support import metrics
from online.support.circuit_breaker import CircuitBreaker
from online.support.deadline import lag_tolerant_timeout

logger = logging.getLogger(__name__)

PING_TIMEOUT = 0.5
_GET_CLOCK = pack_command(("GET", CLOCK_KEY))
MAX_SERVERS = 1024
"""Servers of a cluster that are remembered, those of before among them."""
FAILURES_TO_REST, REST = 3, 0.5
"""The circuit breaker opens after FAILURES_TO_REST failed reads in a row, for REST seconds. A single late response costs one
list its freshness, not all lists of half a second."""


@dataclass(frozen=True)
class LiveUser:
    """A user's current state.

    seen, hidden   items hidden for good; others, until an event time (ms)
    applied_in_ms  from the broker's acknowledgement of the newest event folded in to its features being readable; None if nothing
                   was folded from the stream yet
    live           read from Redis, not from the base
    n              the log's offset after the newest record folded in; it distinguishes states with equal event times
    """

    features: UserFeatures
    seen: frozenset[ItemId] = field(default_factory=frozenset)
    hidden: Mapping[ItemId, Millis] = field(default_factory=dict)
    applied_in_ms: int | None = None
    known: bool = False
    live: bool = True
    n: int | None = None


class _LoadedCommands:
    """Commands that read the mark of a base which is loaded, from where a user's keys are."""

    def __init__(self, cluster: bool) -> None:
        self._cluster = cluster
        self._commands = [pack_command(("GET", key)) for key in loaded_keys(cluster)]

    def for_key(self, key: str) -> bytes:
        command: bytes = self._commands[slot_of(key) if self._cluster else 0]
        return command


class UserStore:
    """Reads users. Calls have a timeout of `timeout` seconds and no retries: falling back to the base beats waiting."""

    def __init__(self, address: RedisAddress, generation: int, base: Base, timeout: float = 0.06) -> None:
        self._reader = RedisReader(address)
        self._generation = generation
        self._base = base
        self._timeout = timeout
        self._get_loaded = _LoadedCommands(address.cluster)
        self._breakers: dict[Server | None, CircuitBreaker] = {}
        """One for each server."""

    async def close(self) -> None:
        await self._reader.close()

    async def ping(self) -> bool:
        """Whether Redis responds within half a second, all primaries of a cluster."""
        try:
            async with lag_tolerant_timeout(PING_TIMEOUT):
                await self._reader.ping()
        except (Unavailable, TimeoutError):
            return False
        return True

    async def load_user(self, user_id: UserId) -> LiveUser:
        """The user's live state; the base's while Redis is down, was emptied, or holds what can't be read. Never raises for a
        remote fault."""
        key = user_key(user_id)
        breaker = self._breaker_of(key)
        if not breaker.allow():
            return self._from_base(user_id)
        began = time.monotonic()
        try:
            async with lag_tolerant_timeout(self._timeout):
                fields, seen, hidden, loaded = await self._reader.read(
                    key,
                    (
                        pack_command(("HMGET", key, VALUE, BROKER_TS, APPLIED_TS, N)),
                        pack_command(("SMEMBERS", seen_key(user_id))),
                        pack_command(("ZRANGE", hidden_key(user_id), 0, -1, "WITHSCORES")),
                        self._get_loaded.for_key(key),
                    ),
                )
        except (Unavailable, TimeoutError) as error:
            logger.warning("Redis did not answer for a user (%s: %s)", type(error).__name__, error)
            breaker.record_failure(began)
            return self._from_base(user_id)
        except BaseException:
            breaker.record_cancelled(began)
            raise
        breaker.record_success(began)
        try:
            if fields[0] is None and int(loaded or 0) != self._generation:  # emptied, or not loaded yet
                return self._from_base(user_id)
            return LiveUser(UserFeatures(user_id), n=0) if fields[0] is None else _live_user(fields, seen, hidden)
        except (msgspec.DecodeError, ValueError, TypeError, OverflowError) as error:
            metrics.UNREADABLE.labels("user").inc()
            logger.warning("Redis holds no state of a user under %s (%s)", key, error)
            return self._from_base(user_id)

    def _breaker_of(self, key: str) -> CircuitBreaker:
        server = self._reader.server_of(key)
        breaker = self._breakers.get(server)
        if breaker is None:
            if len(self._breakers) >= MAX_SERVERS:
                self._breakers.clear()
            breaker = self._breakers[server] = CircuitBreaker(FAILURES_TO_REST, REST)
        return breaker

    def _from_base(self, user_id: UserId) -> LiveUser:
        stored = self._base.user(user_id)
        if stored is None:
            return LiveUser(UserFeatures(user_id), live=False)
        hidden = [(item, until) for item, _, until in thaw_stored(stored).seen.items()]
        return LiveUser(
            decode_user(stored.features),
            frozenset(item for item, until in hidden if until == FOREVER),
            {item: until for item, until in hidden if until != FOREVER},
            known=True,
            live=False,
        )

    async def behind(self, offsets: Mapping[UserId, int], timeout: float) -> dict[UserId, int]:
        """Those of `offsets` before which the features of their user do not hold all records yet. Raises Unavailable where Redis
        does not answer within `timeout` s."""
        try:
            async with lag_tolerant_timeout(timeout):
                keys = [user_key(user_id) for user_id in offsets]
                answers = await self._reader.read_each(
                    [(key, pack_command(("HMGET", key, GENERATION, N))) for key in keys]
                )
        except TimeoutError as error:
            raise Unavailable(f"Redis: no answer in {timeout:.3f} s") from error
        return {
            user_id: offset
            for (user_id, offset), (generation, n) in zip(offsets.items(), map(_pair, answers), strict=True)
            if _number(generation) != self._generation or _number(n) < offset
        }

    async def clock_mark(self) -> int | None:
        """The newest mark of replays (see `online.support.home_clock`); None if there is none or Redis is away."""
        try:
            async with lag_tolerant_timeout(self._timeout):
                (value,) = await self._reader.read(CLOCK_KEY, (_GET_CLOCK,))
        except (Unavailable, TimeoutError):
            return None
        try:
            return None if value is None else int(value)
        except ValueError:
            logger.warning("Redis holds no time under %s: %.40r", CLOCK_KEY, value)
            return None


def _pair(reply: Any) -> Any:
    """Two fields of a hash. Raises Unavailable for an error instead."""
    if isinstance(reply, ReplyError):
        raise Unavailable(f"Redis: {reply}")
    return reply


def _number(value: bytes | None) -> int:
    """A whole number of Redis; −1 for what is none."""
    return int(value) if value is not None and value.isdigit() else -1


def _live_user(fields: list[bytes | None], seen: Iterable[bytes], hidden: Sequence[bytes]) -> LiveUser:
    """A user of what Redis holds of it. Raises msgspec.DecodeError, ValueError or TypeError for what is no user."""
    value, broker, applied, n = fields
    broker_ts = int(broker or 0)
    return LiveUser(
        decode_user(value or b""),
        frozenset(map(int, seen)),
        {int(item): int(float(until)) for item, until in zip(hidden[::2], hidden[1::2], strict=True)},
        max(0, int(applied or 0) - broker_ts) if broker_ts else None,
        known=True,
        n=None if n is None else int(n),
    )
