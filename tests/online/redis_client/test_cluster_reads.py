"""The API's readers over a real Redis Cluster: each key is read where it is, while slots move and primaries die."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hiredis import ReplyError, pack_command

from benchmarks.faults.suspended import suspend
from features.base.reader import Base
from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import slot_of
from features.errors import Unavailable
from features.fold.state import ItemFeatures, UserFeatures, encode_features
from features.keys import CHANGED_KEYS, ITEMS_STREAM, VALUE, item_key, limit_key, user_channel, user_key
from features.store.loaded_marks import loaded_keys
from infra.system.processes import free_ports
from online.access.rate_limits import Limit, RateLimits
from online.redis_client.redis_reader import RedisReader
from online.stores.item_follower import ItemFollower
from online.stores.item_store import ItemStore
from online.stores.user_store import UserStore
from online.stores.user_updates import UserUpdates
from tests.patience import patience
from tests.redis_cluster import ClusterServer, RedisCluster, redis_cluster, three_primaries

pytestmark = pytest.mark.services

KEYS = [f"k{number}" for number in range(50)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with three_primaries(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def cluster(shared: RedisCluster) -> RedisCluster:
    """Three primaries with a few keys, each its own number."""
    shared.empty()
    for number, key in enumerate(KEYS):
        shared.owner_of(key).client.set(key, number)
    return shared


def get(key: str) -> tuple[str, bytes]:
    return key, pack_command(("GET", key))


def play(address: RedisAddress, steps: Callable[[RedisReader], Awaitable[None]]) -> None:
    async def run() -> None:
        reader = RedisReader(address)
        try:
            async with asyncio.timeout(patience(60)):
                await steps(reader)
        finally:
            await reader.close()

    asyncio.run(run())


async def until(holds: Callable[[], Awaitable[Any] | Any], within: float = 30.0) -> None:
    async with asyncio.timeout(patience(within)):
        while True:
            held = holds()
            if await held if asyncio.iscoroutine(held) else held:
                return
            await asyncio.sleep(0.02)


def test_each_key_is_read_where_it_is_and_replies_come_in_order(cluster: RedisCluster) -> None:
    async def steps(reader: RedisReader) -> None:
        assert await reader.read_each([get(key) for key in KEYS]) == [b"%d" % number for number in range(50)]
        for number, key in enumerate(KEYS):
            assert await reader.read(key, [get(key)[1]]) == [b"%d" % number]
        assert {reader.server_of(key) for key in KEYS} == {each.server for each in cluster.servers}
        mixed = await reader.read_each([get("k1"), ("k2", pack_command(("HGET", "k2", "x"))), get("none"), get("k3")])
        assert [mixed[0], mixed[2], mixed[3]] == [b"1", None, b"3"]
        assert isinstance(mixed[1], ReplyError)
        await reader.ping()

    play(cluster.address, steps)


def test_a_slot_that_moved_is_followed_and_one_that_moves_is_read_on_both_sides(cluster: RedisCluster) -> None:
    async def steps(reader: RedisReader) -> None:
        await reader.read_each([get(key) for key in KEYS])
        target = next(each for each in cluster.servers if each is not cluster.owner_of("k7"))
        cluster.begin_move("k7", target)
        new = "other:{k7}"
        assert await reader.read("k7", [get("k7")[1], get(new)[1]]) == [b"7", None]
        assert await reader.read_each([get("k7"), get(new), get("k8")]) == [b"7", None, b"8"]
        cluster.end_move("k7", target)
        assert await reader.read("k7", [get("k7")[1]]) == [b"7"]
        assert await reader.read_each([get("k8"), get("k7")]) == [b"8", b"7"]
        assert reader.server_of("k7") == target.server

    play(cluster.address, steps)


def test_without_any_server_it_is_said_at_once() -> None:
    async def steps(reader: RedisReader) -> None:
        with pytest.raises(Unavailable, match="no server is known to have the slot"):
            await reader.read("k1", [get("k1")[1]])
        with pytest.raises(Unavailable):
            await reader.ping()

    ports = free_ports(2)
    play(RedisAddress("127.0.0.1", ports[0], cluster=True, others=(("127.0.0.1", ports[1]),)), steps)


def test_limits_hold_by_the_server_that_has_the_bucket(cluster: RedisCluster) -> None:
    async def steps(reader: RedisReader) -> None:
        limits = RateLimits(RedisReader(cluster.address), b"salt", timeout=10)
        for name in "abcdef":
            await until(partial(limits.take_for_key, name, Limit(0.001, 2)), 10)
            bucket = limit_key(f"key:{name}")
            assert cluster.owner_of(bucket).client.exists(bucket)
        await limits.close()

    play(cluster.address, steps)


def test_a_user_is_new_only_where_the_slot_holds_the_base(cluster: RedisCluster, base: Base) -> None:
    """A primary that was emptied holds no mark: its users are read from the base, those of others as ever."""
    user, other = 7, next(n for n in range(100, 200) if cluster.owner_of(user_key(n)) is not cluster.owner_of("{u:7}"))

    async def steps(_: RedisReader) -> None:
        store = UserStore(cluster.address, 1, base, timeout=5)
        for number in (user, other):
            cluster.owner_of(user_key(number)).client.set(loaded_keys(True)[slot_of(user_key(number))], 1)
        found = await store.load_user(user)
        assert (found.live, found.known) == (True, False)
        cluster.owner_of(user_key(user)).client.flushall()
        found = await store.load_user(user)
        assert (found.live, found.known) == (False, True)
        assert (await store.load_user(other)).live
        cluster.owner_of(user_key(other)).client.hset(
            user_key(other), mapping={"g": 1, "n": 5, "v": encode_features(UserFeatures(other))}
        )
        assert await store.behind({other: 5, user: 1}, 5) == {user: 1}
        await store.close()

    play(cluster.address, steps)


def features(item_id: int, clicks: int) -> bytes:
    found = ItemFeatures(item_id, n=clicks)
    found.counts[1] = clicks
    return encode_features(found)


def change(cluster: RedisCluster, item_id: int, clicks: int) -> None:
    key = item_key(item_id)
    cluster.owner_of(key).client.hset(key, VALUE, features(item_id, clicks))
    cluster.owner_of(ITEMS_STREAM).client.xadd(ITEMS_STREAM, {CHANGED_KEYS: key})


def test_items_of_all_servers_are_followed_also_where_the_stream_goes(cluster: RedisCluster, base: Base) -> None:
    async def steps(_: RedisReader) -> None:
        store = ItemStore(base)

        def clicks_of(item_id: int) -> int:
            row = store.row(item_id)
            return -1 if row is None else store.totals(row).events

        for item_id in range(1, 21):
            key = item_key(item_id)
            cluster.owner_of(key).client.hset(key, VALUE, features(item_id, 100 + item_id))
        follower = ItemFollower(store, cluster.address)
        await follower.start()
        try:
            await until(lambda: all(clicks_of(item_id) == 100 + item_id for item_id in range(1, 21)))
            for item_id in range(1, 11):
                change(cluster, item_id, 200 + item_id)
            await until(lambda: all(clicks_of(item_id) == 200 + item_id for item_id in range(1, 11)))
            source = cluster.owner_of(ITEMS_STREAM)
            cluster.move_slot(ITEMS_STREAM, next(each for each in cluster.servers if each is not source))
            change(cluster, 12, 300)
            await until(lambda: clicks_of(12) == 300 and follower.fresh)
        finally:
            await follower.stop()

    play(cluster.address, steps)


def test_updates_come_whichever_server_they_are_published_at_and_after_the_one_listened_to_died(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as cluster:

        async def hears(updated: asyncio.Event, at: ClusterServer) -> bool:
            updated.clear()
            at.client.publish(user_channel(5), "1")
            try:
                await asyncio.wait_for(updated.wait(), 1)
            except TimeoutError:
                return False
            return True

        async def steps(_: RedisReader) -> None:
            updates = UserUpdates(cluster.address)
            async with updates.subscribe(5, timeout=10) as updated:
                for server in cluster.servers:
                    await until(partial(hears, updated, server))
                for dead in cluster.servers[:2]:  # all that it was told of; most primaries live at any time
                    key = next(key for key in KEYS if cluster.owner_of(key) is dead)
                    dead.kill()
                    await asyncio.to_thread(cluster.await_takeover, key, dead)
                alive = cluster.servers[2:]
                await until(lambda: hears(updated, alive[0]))
                await until(lambda: hears(updated, alive[-1]))
            await updates.stop()

        play(cluster.address, steps)


def test_one_that_hangs_is_left_for_its_successor(tmp_path: Path) -> None:
    """Its readers give up; its connection is not lost."""
    with redis_cluster(tmp_path) as cluster:
        owner = cluster.owner_of("k7")
        owner.client.set("k7", 7)
        owner.client.wait(1, 5000)

        async def steps(reader: RedisReader) -> None:
            assert await reader.read("k7", [get("k7")[1]]) == [b"7"]
            suspend(owner.process.pid)

            async def is_back() -> bool:
                try:
                    async with asyncio.timeout(0.06):
                        return await reader.read("k7", [get("k7")[1]]) == [b"7"]
                except (Unavailable, TimeoutError):
                    return False

            assert not await is_back()
            await until(is_back)
            assert reader.server_of("k7") != owner.server

        play(cluster.address, steps)


def test_while_a_primary_is_dead_others_are_read_and_then_its_successor(tmp_path: Path) -> None:
    with redis_cluster(tmp_path, options=("--cluster-require-full-coverage", "no")) as cluster:
        for number, key in enumerate(KEYS):
            owner = cluster.owner_of(key)
            owner.client.set(key, number)
            owner.client.wait(1, 5000)

        async def steps(reader: RedisReader) -> None:
            await reader.read_each([get(key) for key in KEYS])
            dead = cluster.owner_of("k7")
            living = next(key for key in KEYS if cluster.owner_of(key) is not dead)
            dead.kill()
            with pytest.raises(Unavailable):
                await reader.read("k7", [get("k7")[1]])
            assert await reader.read(living, [get(living)[1]]) == [living[1:].encode()]

            async def is_back() -> bool:
                try:
                    return await reader.read("k7", [get("k7")[1]]) == [b"7"]
                except Unavailable:
                    return False

            await until(is_back)
            assert await reader.read_each([get(key) for key in KEYS]) == [b"%d" % number for number in range(50)]

        play(cluster.address, steps)
