"""Waits for a caller's own events, over a real Redis: by notice, within bounds, and never for long."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.suspended import suspended
from features.base.reader import Base
from features.engines.redis_address import RedisAddress
from features.keys import GENERATION, N, user_channel, user_key
from online.stores import seen_waits
from online.stores.seen_waits import SeenWaits
from online.stores.user_store import UserStore
from online.stores.user_updates import UserUpdates
from online.support import metrics
from tests.online.counts import count_of
from tests.patience import patience
from tests.redis_process import RedisProcess, redis_process

USER = 5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as running:
        running.client.hset(user_key(USER), mapping={GENERATION: 1, N: 99})
        yield running


class Counted:
    """A store that counts its reads."""

    def __init__(self, store: UserStore) -> None:
        self._store = store
        self.reads = 0

    async def behind(self, offsets: Mapping[int, int], timeout: float) -> dict[int, int]:
        self.reads += 1
        return await self._store.behind(offsets, timeout)


def wait_steps(server: RedisProcess, base: Base, steps: Callable[[SeenWaits, Counted], Awaitable[None]]) -> None:
    """Run the steps with waits for two at most."""

    async def run() -> None:
        store = UserStore(RedisAddress("127.0.0.1", server.port), 1, base)
        reads = Counted(store)
        users: Any = reads
        waits = SeenWaits(users, UserUpdates(RedisAddress("127.0.0.1", server.port)), limit=2)
        try:
            await steps(waits, reads)
        finally:
            await waits.stop()
            await store.close()

    asyncio.run(run())


def test_a_wait_ends_with_the_notice_that_the_features_are_there(server: RedisProcess, base: Base) -> None:
    async def steps(waits: SeenWaits, reads: Counted) -> None:
        assert await waits.wait_for({USER: 99}, 5.0)
        assert reads.reads == 1
        waiting = asyncio.create_task(waits.wait_for({USER: 100}, 30.0))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        server.client.hset(user_key(USER), mapping={GENERATION: 1, N: 100})
        server.client.publish(user_channel(USER), "100")
        assert await asyncio.wait_for(waiting, 20)
        assert reads.reads < 20  # the first, a few of the backstop and the last, where polling took hundreds

    wait_steps(server, base, steps)


def test_a_lost_notice_costs_a_wait_the_backstop(server: RedisProcess, base: Base) -> None:
    async def steps(waits: SeenWaits, reads: Counted) -> None:
        waiting = asyncio.create_task(waits.wait_for({USER: 100}, 30.0))
        await asyncio.sleep(2 * seen_waits.BACKSTOP)
        server.client.hset(user_key(USER), mapping={N: 100})
        assert await asyncio.wait_for(waiting, 20)

    wait_steps(server, base, steps)


def test_a_wait_that_does_not_come_true_ends_and_those_beyond_the_limit_do_not_begin(
    server: RedisProcess, base: Base
) -> None:
    async def steps(waits: SeenWaits, reads: Counted) -> None:
        two = [asyncio.create_task(waits.wait_for({USER: 100}, 60.0)) for _ in range(2)]
        async with asyncio.timeout(patience(30)):
            while reads.reads < 4:  # each has read before it subscribed, and after
                await asyncio.sleep(0.005)
        before = count_of(metrics.SEEN_NOT_WAITED)
        assert not await waits.wait_for({USER: 100, USER + 1: 5}, 5.0)
        assert count_of(metrics.SEEN_NOT_WAITED) == before + 1
        assert await waits.wait_for({USER: 99}, 5.0)  # what holds needs no wait
        for each in two:
            each.cancel()
        await asyncio.wait(two, timeout=30)
        assert not await waits.wait_for({USER: 100}, 0.1)

    wait_steps(server, base, steps)


def test_without_redis_nothing_is_waited_for(server: RedisProcess, base: Base) -> None:
    async def steps(waits: SeenWaits, reads: Counted) -> None:
        with suspended(server.process.pid):
            assert not await waits.wait_for({USER: 99}, 0.1)

    wait_steps(server, base, steps)
