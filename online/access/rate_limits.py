"""Rate limits of callers, which hold over all API processes: their buckets lie in Redis, and here while Redis is away."""

import hashlib
import math
import time
from collections import OrderedDict
from typing import Annotated, Final

import msgspec
from hiredis import pack_command
from msgspec import Meta

from features.errors import Unavailable
from features.keys import limit_key
from online.redis_client.redis_reader import RedisReader
from online.support import metrics
from online.support.circuit_breaker import CircuitBreaker
from online.support.deadline import lag_tolerant_timeout

CALLERS: Final = 10_000
"""Callers with a token bucket in this process; beyond that the least recently active one is evicted."""
ADDRESSES: Final = 1 << 16
"""Buckets in Redis of callers without a key. Two addresses share one with a probability of 1 in ADDRESSES, and which do nobody
outside can know: the digest is keyed."""
TIMEOUT: Final = 0.03
"""Seconds that Redis may take; then the call is limited by this process alone."""
FAILURES_TO_REST, REST = 3, 1.0

# KEYS: a bucket: the time at which it is full again, s. ARGV: tokens a second, tokens that it holds. Returns the seconds until
# there is a token, "0" where one was taken. A bucket is empty at most: whatever limit or clock it was last filled by.
TAKE: Final = """
local now = redis.call('TIME')
local time, rate, burst = now[1] + now[2] / 1000000, tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = math.min(tonumber(redis.call('GET', KEYS[1]) or '0'), time + burst / rate)
local full = math.max(time, stored) + 1 / rate
local wait = full - time - burst / rate
if wait > 0.000001 then return string.format('%.6f', wait) end
redis.call('SET', KEYS[1], string.format('%.6f', full), 'PX', math.ceil(math.min((full - time) * 1000, 86400000)))
return '0'
"""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rate limit of one caller: `per_second` on average, `burst` at once."""

    per_second: Annotated[float, Meta(gt=0)]
    burst: Annotated[int, Meta(ge=1)]


class Buckets:
    """One token bucket per caller (J. Turner, New Directions in Communications, 1986)."""

    def __init__(self, size: int = CALLERS) -> None:
        self._size = size
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, limit: Limit, now: float) -> float:
        """Take a token: 0 if the call may proceed, else the seconds until the next one may."""
        tokens, then = self._left.pop(caller, (float(limit.burst), now))
        tokens = min(float(limit.burst), tokens + (now - then) * limit.per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / limit.per_second
        self._left[caller] = (tokens - 1 if not wait else tokens, now)
        if len(self._left) > self._size:
            self._left.popitem(last=False)
        return wait


class RateLimits:
    """Token buckets in Redis, one for each key and ADDRESSES for callers without one. While Redis does not answer each process
    limits by buckets of its own, so that N processes let pass up to N times as much."""

    def __init__(self, reader: RedisReader, salt: bytes, timeout: float = TIMEOUT) -> None:
        """salt: keys the digests of addresses; the same in all processes of a home. timeout: seconds that Redis may take."""
        self._reader, self._salt, self._timeout = reader, salt, timeout
        self._breaker = CircuitBreaker(FAILURES_TO_REST, REST)
        self._buckets = Buckets()

    async def close(self) -> None:
        await self._reader.close()

    async def take_for_key(self, name: str, limit: Limit) -> float:
        """Take a token of a key by its name: 0 if the call may proceed, else the seconds until the next one may."""
        return await self._take(f"key:{name}", limit)

    async def take_for_address(self, address: str, limit: Limit) -> float:
        """The same for a caller without a key, by the address it calls from."""
        digest = hashlib.blake2b(address.encode(), digest_size=8, key=self._salt).digest()
        return await self._take(f"address:{int.from_bytes(digest) % ADDRESSES}", limit)

    async def _take(self, caller: str, limit: Limit) -> float:
        began = time.monotonic()
        if self._breaker.allow():
            key = limit_key(caller)
            command = pack_command(("EVAL", TAKE, 1, key, repr(limit.per_second), limit.burst))
            try:
                async with lag_tolerant_timeout(self._timeout):
                    (wait,) = await self._reader.read(key, (command,))
                self._breaker.record_success(began)
                return float(wait)
            except (Unavailable, TimeoutError):
                self._breaker.record_failure(began)
        metrics.LIMITED_ALONE.inc()
        return self._buckets.take(caller, limit, began)


def retry_after(wait: float) -> str:
    """The header Retry-After for a wait in seconds."""
    return str(math.ceil(wait))
