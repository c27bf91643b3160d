"""The writer against a real Redis Cluster: writes go to who has the key, in order, while slots move and primaries die."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.suspended import suspended
from features.engines.redis_address import RedisAddress
from features.keys import CHANGED_KEYS, ITEMS_STREAM, hidden_key, item_key, pairs_key, seen_key, user_key
from features.store.freshness import FreshnessHistogram
from features.store.job_status import fresh_key, lane_key
from features.types import FOREVER
from infra.system.processes import free_ports
from streaming.operators.stored_state import StoredLane
from streaming.redis_sink.redis_commands import LaneWrite, StateWrite, UserWrite, Write
from streaming.redis_sink.redis_writer import FeatureWriter
from tests.home import until
from tests.redis_cluster import ClusterServer, RedisCluster, redis_cluster, three_primaries

pytestmark = pytest.mark.services

USERS = [user_key(number) for number in range(60)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with three_primaries(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def cluster(shared: RedisCluster) -> RedisCluster:
    """An empty cluster of three primaries, whatever moved before."""
    shared.empty()
    return shared


def settle(writer: FeatureWriter, *keys: str, within: float = 20) -> None:
    def acknowledged() -> bool:
        writer.tick()
        return not writer.unsent(set(keys))

    until(acknowledged, within, "all is acknowledged")


def announced(cluster: RedisCluster) -> set[str]:
    entries: Any = cluster.owner_of(ITEMS_STREAM).client.xrange(ITEMS_STREAM)
    return {key for _, fields in entries for key in fields[CHANGED_KEYS.encode()].decode().split(",")}


def other_than(cluster: RedisCluster, *keys: str) -> str:
    """An item's key that another server has than these."""
    owners = {cluster.owner_of(key).port for key in keys}
    return next(key for key in map(item_key, range(100)) if cluster.owner_of(key).port not in owners)


def test_each_write_goes_to_who_has_its_key(cluster: RedisCluster) -> None:
    writer = FeatureWriter(cluster.address, 1, "users", 0)
    writes: dict[str, Write] = {key: UserWrite(1, 100, b"v", {1: FOREVER, 2: 900}) for key in USERS}
    writes |= {item_key(number): StateWrite(1, 100, b"i") for number in range(30)}
    writes |= {pairs_key(number): StateWrite(1, 100, b"p") for number in range(30)}
    writes |= {lane_key(number): LaneWrite(StoredLane(n=5, applied=5).published(1, 0)) for number in range(8)}
    writer.put(writes)
    settle(writer, *writes)
    for number, key in enumerate(USERS):
        owner = cluster.owner_of(key).client
        assert owner.hget(key, "v") == b"v"
        assert owner.smembers(seen_key(number)) == {b"1"}
        assert owner.zrange(hidden_key(number), 0, -1) == [b"2"]
    for key in writes:
        assert cluster.owner_of(key).client.hget(key, "g") == b"1"
    assert announced(cluster) == {key for key in writes if key.startswith(("i:", "p:"))}
    assert {cluster.owner_of(key).port for key in writes} == {each.port for each in cluster.servers}
    writer.close()


def test_how_fresh_writes_are_is_reported_where_its_key_is(cluster: RedisCluster) -> None:
    writer = FeatureWriter(cluster.address, 1, "users", 3)
    key = fresh_key("users", 3)

    def reported() -> bool:
        writer.put({name: UserWrite(int(time.monotonic() * 1000), 100, b"v") for name in USERS})
        writer.tick()
        found: Any = cluster.owner_of(key).client.get(key)
        return found is not None and FreshnessHistogram.from_json(found).count >= len(USERS)

    until(reported, 20, "it is reported")
    writer.close()


def test_an_item_is_announced_once_it_is_there(cluster: RedisCluster) -> None:
    writer, key = FeatureWriter(cluster.address, 1, "items", 0), other_than(cluster, ITEMS_STREAM)
    owner = cluster.owner_of(key)
    writer.put({key: StateWrite(1, 0, b"first")})
    assert announced(cluster) == {key}
    cluster.owner_of(ITEMS_STREAM).client.delete(ITEMS_STREAM)
    with suspended(owner.process.pid):
        writer.put({key: StateWrite(2, 0, b"second")})
        assert writer.unsent({key}) == {key}
        assert announced(cluster) == set()
    settle(writer, key)
    assert owner.client.hget(key, "v") == b"second"
    assert announced(cluster) == {key}
    writer.close()


def test_a_change_counts_as_unsent_until_it_is_announced(cluster: RedisCluster) -> None:
    writer, key = FeatureWriter(cluster.address, 1, "items", 0), other_than(cluster, ITEMS_STREAM)
    writer.put({key: StateWrite(1, 0, b"first")})
    stream = cluster.owner_of(ITEMS_STREAM)
    with suspended(stream.process.pid):
        writer.put({key: StateWrite(2, 0, b"second")})
        until(lambda: cluster.owner_of(key).client.hget(key, "v") == b"second", 20, "it is written")
        assert writer.unsent({key}) == {key}
    settle(writer, key)
    assert announced(cluster) == {key}
    writer.close()


def test_a_slot_that_moved_is_followed(cluster: RedisCluster) -> None:
    writer, key = FeatureWriter(cluster.address, 1, "users", 0), user_key(7)
    writer.put({key: UserWrite(1, 100, b"before", {1: FOREVER})})
    settle(writer, key)
    target = next(each for each in cluster.servers if each is not cluster.owner_of(key))
    cluster.move_slot(key, target)
    writer.put({key: UserWrite(2, 100, b"after", {2: FOREVER})})
    writer.tick()
    assert not writer.unsent({key}), "it is sent on at once"
    assert target.client.hget(key, "v") == b"after"
    assert target.client.smembers(seen_key(7)) == {b"1", b"2"}
    writer.close()


def test_a_slot_that_moves_is_written_on_both_sides(cluster: RedisCluster) -> None:
    writer = FeatureWriter(cluster.address, 1, "users", 0)
    there, new = "{u:7}", "{u:7}:new"
    source = cluster.owner_of(there)
    writer.put({there: UserWrite(1, 100, b"v")})
    settle(writer, there)
    target = next(each for each in cluster.servers if each is not source)
    cluster.begin_move(there, target)
    writer.put({there: UserWrite(2, 100, b"still here"), new: StateWrite(1, 0, b"not here yet")})
    writer.tick()
    writer.put({new: StateWrite(2, 0, b"nor now")})
    writer.tick()
    assert writer.unsent({new}) == set()
    assert target.run("ASKING")
    assert target.client.hget(new, "v") == b"nor now"
    cluster.end_move(there, target)
    settle(writer, there, new)
    writer.put({there: UserWrite(3, 100, b"moved"), new: StateWrite(3, 0, b"last")})
    settle(writer, there, new)
    assert [target.client.hget(key, "v") for key in (there, new)] == [b"moved", b"last"]
    writer.close()


def test_no_change_of_a_user_is_lost_while_slots_move(cluster: RedisCluster) -> None:
    """Each write says what changed since the one before: one that overtook another would take its place. While a slot moves no
    user of it can be written whose keys are not all on one side."""
    drawn, writer = random.Random(7), FeatureWriter(cluster.address, 1, "users", 0)
    users = USERS[:6]
    wanted: dict[str, set[bytes]] = {key: set() for key in users}
    moving: dict[str, ClusterServer] = {}
    for n in range(1, 400):
        changed = drawn.sample(users, 3) if n < 399 else users
        writer.put({key: UserWrite(n, 100, b"%d" % n, {n: FOREVER}) for key in changed})
        for key in changed:
            wanted[key].add(b"%d" % n)
        key = drawn.choice(users)
        if n % 10 == 0 and key in moving:
            cluster.end_move(key, moving.pop(key))
        elif n % 10 == 0:
            moving[key] = drawn.choice([each for each in cluster.servers if each is not cluster.owner_of(key)])
            cluster.begin_move(key, moving[key])
    for key, target in moving.items():
        cluster.end_move(key, target)
    settle(writer, *users)
    for key in users:
        assert cluster.owner_of(key).client.smembers(f"{key}:seen") == wanted[key]
    writer.close()


def test_what_a_server_refused_comes_with_what_it_took_later(cluster: RedisCluster) -> None:
    """It has no memory for the first write, and has some again before anybody reads its reply."""
    writer, key = FeatureWriter(cluster.address, 1, "users", 0), user_key(7)
    owner = cluster.owner_of(key)
    writer.put({key: UserWrite(1, 100, b"zero", {0: FOREVER})})
    settle(writer, key)
    refused = len(owner.client.info("errorstats"))
    owner.client.config_set("maxmemory", 1)
    writer.put({key: UserWrite(2, 100, b"one", {1: FOREVER})})
    until(lambda: len(owner.client.info("errorstats")) > refused, 10, "it is refused")
    owner.client.config_set("maxmemory", 0)
    writer.put({key: UserWrite(3, 100, b"two", {2: FOREVER})})
    writer.put({key: UserWrite(4, 100, b"three", {3: FOREVER})})
    settle(writer, key)
    assert owner.client.hget(key, "v") == b"three"
    assert owner.client.smembers(seen_key(7)) == {b"0", b"1", b"2", b"3"}
    writer.close()


def test_without_any_server_all_waits(tmp_path: Path) -> None:
    one, other = free_ports(2)
    address = RedisAddress("127.0.0.1", one, cluster=True, others=(("127.0.0.1", other),))
    writer = FeatureWriter(address, 1, "users", 0)
    writer.put({user_key(1): UserWrite(1, 100, b"v")})
    writer.tick()
    assert writer.unsent({user_key(1)}) == {user_key(1)}
    writer.close()


def test_while_a_primary_is_dead_others_are_written_and_then_its_successor(tmp_path: Path) -> None:
    with redis_cluster(tmp_path, node_timeout=4.0) as cluster:
        writer = FeatureWriter(cluster.address, 1, "users", 0)
        writer.put({key: UserWrite(1, 100, b"one", {1: FOREVER}) for key in USERS})
        settle(writer, *USERS)
        dead = cluster.owner_of(USERS[0])
        theirs = {key for key in USERS if cluster.owner_of(key) is dead}
        dead.kill()
        writer.put({key: UserWrite(2, 100, b"two", {2: FOREVER}) for key in USERS})
        writer.tick()
        assert writer.unsent(set(USERS)) == theirs
        for n in range(3, 8):  # while it is known to be away, too
            writer.put({key: UserWrite(n, 100, b"%d" % n, {n: FOREVER}) for key in USERS})
            writer.tick()
            assert writer.unsent(set(USERS)) == theirs
        settle(writer, *USERS, within=90)
        for number, key in enumerate(USERS):
            owner = cluster.owner_of(key)
            assert owner is not dead
            assert owner.client.hget(key, "v") == b"7"
            assert owner.client.smembers(seen_key(number)) >= {b"%d" % n for n in range(2, 8)}
        writer.close()
