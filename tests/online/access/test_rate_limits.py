"""Rate limits: buckets in Redis, which all processes share, and each process' own while Redis is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from benchmarks.faults.suspended import resume, suspend
from features.engines.redis_address import RedisAddress
from online.access.rate_limits import ADDRESSES, TIMEOUT, Buckets, Limit, RateLimits
from online.redis_client.redis_reader import RedisReader
from online.support import metrics
from tests.online.counts import count_of
from tests.redis_process import RedisProcess, redis_process

WAITED = 300
PATIENT = 5.0
"""Seconds that Redis may take where it answers: on a busy machine it may take longer than in service."""
SLOW = Limit(per_second=0.01, burst=3)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as running:
        yield running


def play(port: int, steps: Callable[[RateLimits, RateLimits], Awaitable[None]], timeout: float = PATIENT) -> None:
    """Play the steps with the limits of two processes."""

    async def run() -> None:
        both = [RateLimits(RedisReader(RedisAddress("127.0.0.1", port)), b"salt", timeout) for _ in range(2)]
        try:
            await asyncio.wait_for(steps(*both), 60)
        finally:
            for each in both:
                await each.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_two_processes_share_the_limit_of_a_key(server: RedisProcess) -> None:
    async def steps(one: RateLimits, other: RateLimits) -> None:
        waits = [await each.take_for_key("shop", SLOW) for each in (one, other, one, other, one)]
        assert waits[:3] == [0, 0, 0]
        assert all(90 < wait <= 100 for wait in waits[3:])
        assert await other.take_for_key("app", SLOW) == 0

    before = count_of(metrics.LIMITED_ALONE)
    play(server.port, steps)
    assert count_of(metrics.LIMITED_ALONE) == before


def test_calls_at_once_get_no_more_than_the_burst(server: RedisProcess) -> None:
    async def steps(one: RateLimits, other: RateLimits) -> None:
        waits = await asyncio.gather(*(each.take_for_key("shop", SLOW) for each in (one, other) * 20))
        assert waits.count(0) == 3

    play(server.port, steps)


def test_a_bucket_fills_again_and_then_leaves_no_key(server: RedisProcess) -> None:
    limit = Limit(per_second=2, burst=2)

    async def steps(one: RateLimits, other: RateLimits) -> None:
        assert [await one.take_for_key("shop", limit) == 0 for _ in range(3)] == [True, True, False]
        deadline = time.monotonic() + 30
        while await other.take_for_key("shop", limit):
            assert time.monotonic() < deadline
        while server.client.keys("limit:*"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    play(server.port, steps)


def test_a_limit_that_is_raised_holds_at_once(server: RedisProcess) -> None:
    fast = Limit(per_second=50, burst=SLOW.burst)

    async def steps(one: RateLimits, other: RateLimits) -> None:
        waits = [await one.take_for_key("shop", SLOW) for _ in range(4)]
        assert waits[:3] == [0, 0, 0]
        assert waits[3] > 90
        assert await other.take_for_key("shop", fast) <= 1 / fast.per_second

    play(server.port, steps)


def test_addresses_have_a_bounded_number_of_buckets(server: RedisProcess) -> None:
    async def steps(one: RateLimits, other: RateLimits) -> None:
        for number in range(500):
            assert await one.take_for_address(f"10.0.{number >> 8}.{number & 255}", SLOW) == 0
        assert [await other.take_for_address("10.0.0.1", SLOW) == 0 for _ in range(3)] == [True, True, False]

    play(server.port, steps)
    keys: list[bytes] = list(server.client.scan_iter("limit:address:*"))
    numbers = [int(key.rsplit(b":", 1)[1]) for key in keys]
    assert 490 <= len(numbers) <= 500
    assert max(numbers) < ADDRESSES


def test_without_redis_each_process_limits_by_itself_and_nobody_waits_long(server: RedisProcess) -> None:
    async def steps(one: RateLimits, other: RateLimits) -> None:
        await one.take_for_key("first", SLOW)  # it connects, for which a busy machine may take too long
        suspend(server.process.pid)
        began = time.monotonic()
        assert [await one.take_for_key("shop", SLOW) == 0 for _ in range(4)] == [True, True, True, False]
        assert [await other.take_for_key("shop", SLOW) == 0 for _ in range(4)] == [True, True, True, False]
        for number in range(WAITED):
            await one.take_for_key(f"other {number}", SLOW)
        assert time.monotonic() - began < WAITED * TIMEOUT / 2  # few of them wait for Redis
        resume(server.process.pid)
        deadline = time.monotonic() + 20
        before = count_of(metrics.LIMITED_ALONE)
        while count_of(metrics.LIMITED_ALONE) != before:
            before = count_of(metrics.LIMITED_ALONE)
            await other.take_for_key("late", SLOW)
            assert time.monotonic() < deadline

    before = count_of(metrics.LIMITED_ALONE)
    play(server.port, steps, TIMEOUT)
    assert count_of(metrics.LIMITED_ALONE) >= before + 8


def test_buckets_fill_again_and_are_bounded() -> None:
    buckets, limit = Buckets(size=2), Limit(per_second=2, burst=2)
    assert [buckets.take("one", limit, 10.0) for _ in range(3)] == [0, 0, 0.5]
    assert buckets.take("one", limit, 10.5) == 0
    assert buckets.take("one", limit, 10.5) > 0
    buckets.take("two", limit, 10.5)
    buckets.take("three", limit, 10.5)
    assert buckets.take("one", limit, 10.5) == 0  # forgotten, so it begins anew


def test_who_was_silent_for_long_has_one_burst_and_no_more() -> None:
    buckets, limit = Buckets(), Limit(per_second=2, burst=3)
    buckets.take("one", limit, 0.0)
    assert [buckets.take("one", limit, 86_400.0) == 0 for _ in range(4)] == [True] * 3 + [False]


def test_a_wait_is_as_long_as_the_next_call_needs() -> None:
    buckets, limit = Buckets(), Limit(per_second=2, burst=1)
    assert buckets.take("one", limit, 0.0) == 0
    assert buckets.take("one", limit, 0.1) == pytest.approx(0.4)
    assert buckets.take("other", limit, 0.1) == 0
    assert buckets.take("one", limit, 0.5) == 0
