"""Following items in a real Redis: what is changed, what can't be read, and a Redis that stands still."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from features.base.reader import Base
from features.fold.state import ItemFeatures, encode_features
from features.keys import ITEMS_CHANNEL, VALUE, item_key, pairs_key
from online.stores.item_follower import GIVE_UP, ItemFollower
from online.stores.item_store import ItemStore
from online.support import metrics
from tests.redis_process import RedisProcess, redis_process

PATIENCE = 20.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as running:
        yield running


def follow(server: RedisProcess, base: Base, steps: Callable[[ItemStore, ItemFollower], Awaitable[None]]) -> None:
    async def run() -> None:
        store = ItemStore(base)
        follower = ItemFollower(store, "127.0.0.1", server.port)
        await follower.start()
        try:
            await until(lambda: follower.fresh)
            await steps(store, follower)
        finally:
            await follower.stop()

    asyncio.run(run())


async def until(holds: Callable[[], bool], patience: float = PATIENCE) -> None:
    async with asyncio.timeout(patience):
        while not holds():
            await asyncio.sleep(0.005)


def events_of(store: ItemStore, item_id: int) -> int:
    row = store.row(item_id)
    return -1 if row is None else store.totals(row).events


def change(server: RedisProcess, key: str, value: bytes) -> None:
    server.client.hset(key, VALUE, value)
    server.client.publish(ITEMS_CHANNEL, key)


def features(item_id: int, clicks: int) -> bytes:
    found = ItemFeatures(item_id, n=clicks)
    found.counts[1] = clicks
    return encode_features(found)


def test_values_that_can_not_be_read_leave_what_was_known_and_stop_nothing(server: RedisProcess, base: Base) -> None:
    async def steps(store: ItemStore, follower: ItemFollower) -> None:
        change(server, item_key(7), features(7, 5))
        await until(lambda: events_of(store, 7) == 5)
        before = metrics.UNREADABLE.labels("item")._value.get()
        change(server, item_key(7), b"\xff\x00")
        change(server, pairs_key(7), b"no pairs")
        change(server, item_key(8), features(8, 3))
        await until(lambda: events_of(store, 8) == 3)
        await until(lambda: metrics.UNREADABLE.labels("item")._value.get() == before + 2)
        assert (events_of(store, 7), follower.fresh) == (5, True)

    follow(server, base, steps)


def test_while_redis_stands_still_items_are_not_fresh(server: RedisProcess, base: Base) -> None:
    async def steps(store: ItemStore, follower: ItemFollower) -> None:
        server.process.send_signal(signal.SIGSTOP)
        try:
            await until(lambda: not follower.fresh, GIVE_UP / 2)  # well before the connection is given up
        finally:
            server.process.send_signal(signal.SIGCONT)
        await until(lambda: follower.fresh)
        change(server, item_key(7), features(7, 5))
        await until(lambda: events_of(store, 7) == 5)

    follow(server, base, steps)
