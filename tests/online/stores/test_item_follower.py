"""Following items in a real Redis: what is changed, what can't be read, and a Redis that stands still."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.faults.suspended import suspended
from features.base.reader import Base
from features.engines.redis_address import RedisAddress
from features.fold.state import ItemFeatures, encode_features
from features.keys import CHANGED_KEYS, ITEMS_STREAM, VALUE, item_key, pairs_key
from online.stores.item_follower import GIVE_UP, ItemFollower
from online.stores.item_store import ItemStore
from online.support import metrics
from tests.online.counts import count_of
from tests.redis_process import RedisProcess, redis_process

pytestmark = pytest.mark.services

PATIENCE = 12.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as running:
        yield running


def follow(
    server: RedisProcess,
    base: Base,
    steps: Callable[[ItemStore, ItemFollower], Awaitable[None]],
    items: ItemStore | None = None,
) -> None:
    async def run() -> None:
        store = items or ItemStore(base)
        follower = ItemFollower(store, RedisAddress("127.0.0.1", server.port))
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
    server.client.xadd(ITEMS_STREAM, {CHANGED_KEYS: key})


def features(item_id: int, clicks: int) -> bytes:
    found = ItemFeatures(item_id, n=clicks)
    found.counts[1] = clicks
    return encode_features(found)


def test_values_that_can_not_be_read_leave_what_was_known_and_stop_nothing(server: RedisProcess, base: Base) -> None:
    async def steps(store: ItemStore, follower: ItemFollower) -> None:
        change(server, item_key(7), features(7, 5))
        await until(lambda: events_of(store, 7) == 5)
        before = count_of(metrics.UNREADABLE.labels("item"))
        change(server, item_key(7), b"\xff\x00")
        change(server, pairs_key(7), b"no pairs")
        change(server, item_key(8), features(8, 3))
        await until(lambda: events_of(store, 8) == 3)
        await until(lambda: count_of(metrics.UNREADABLE.labels("item")) == before + 2)
        assert (events_of(store, 7), follower.fresh) == (5, True)

    follow(server, base, steps)


def test_while_redis_stands_still_items_are_not_fresh(server: RedisProcess, base: Base) -> None:
    async def steps(store: ItemStore, follower: ItemFollower) -> None:
        with suspended(server.process.pid):
            await until(lambda: not follower.fresh, GIVE_UP / 2)  # well before the connection is given up
        await until(lambda: follower.fresh)
        change(server, item_key(7), features(7, 5))
        await until(lambda: events_of(store, 7) == 5)

    follow(server, base, steps)


def kill_connections(server: RedisProcess) -> None:
    server.client.client_kill_filter(_type="normal", skipme=True)


def test_after_a_lost_connection_only_what_changed_meanwhile_is_read(server: RedisProcess, base: Base) -> None:
    async def steps(store: ItemStore, follower: ItemFollower) -> None:
        change(server, item_key(7), features(7, 5))
        await until(lambda: events_of(store, 7) == 5)
        server.client.hset(
            item_key(8), VALUE, features(8, 9)
        )  # which nothing tells of: a read of everything would find it
        await until(lambda: server.client.info("clients")["blocked_clients"] == 1)
        kill_connections(server)
        change(server, item_key(7), features(7, 6))
        await until(lambda: events_of(store, 7) == 6)
        assert events_of(store, 8) != 9

    follow(server, base, steps)


@pytest.mark.parametrize("lost", ["emptied", "trimmed"])
def test_where_the_stream_has_lost_the_place_everything_is_read(server: RedisProcess, base: Base, lost: str) -> None:
    async def steps(store: ItemStore, follower: ItemFollower) -> None:
        change(server, item_key(7), features(7, 5))
        await until(lambda: events_of(store, 7) == 5)
        if lost == "emptied":
            server.client.flushall()
        else:
            change(server, item_key(9), features(9, 5))
            await until(lambda: events_of(store, 9) == 5)
            server.client.xtrim(ITEMS_STREAM, 0, approximate=False)
        server.client.hset(item_key(8), VALUE, features(8, 9))
        kill_connections(server)
        await until(lambda: events_of(store, 8) == 9)

    follow(server, base, steps)


class UnsteadyStore(ItemStore):
    """Fails at the first change of an item."""

    failures = 0

    def put_features(self, item_id: int, features: ItemFeatures) -> None:
        if features.n > 0 and not self.failures:
            self.failures += 1
            raise RuntimeError("no room")
        super().put_features(item_id, features)


def test_what_could_not_be_taken_in_is_read_again(server: RedisProcess, base: Base) -> None:
    store = UnsteadyStore(base)

    async def steps(_: ItemStore, follower: ItemFollower) -> None:
        change(server, item_key(7), features(7, 5))
        await until(lambda: events_of(store, 7) == 5)
        assert store.failures == 1

    follow(server, base, steps, store)
