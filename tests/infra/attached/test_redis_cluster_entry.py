"""An attached Redis Cluster at the door: all its servers are examined, each by itself."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec
import pytest
import redis
from hiredis import pack_command

from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.engines.redis_slots import SlotMap, read_shards
from features.engines.tls import Tls
from features.errors import BadInput
from features.keys import HOME_KEY, user_channel, user_key
from infra.attached.redis_entry import GRANT, claim_redis, enter_redis, examine_redis
from infra.services.redis_instance import RedisRun
from infra.system.processes import free_ports
from online.redis_client.redis_reader import RedisReader
from online.stores.user_updates import UserUpdates
from streaming.redis_sink.redis_commands import UserWrite
from streaming.redis_sink.redis_writer import FeatureWriter
from tests.home import until
from tests.redis_cluster import ClusterServer, RedisCluster, redis_cluster, three_primaries
from tests.redis_process import redis_process
from tests.secured_engines import PASSWORD, USER, by_tls, certificates

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with redis_cluster(tmp_path_factory.mktemp("cluster"), node_timeout=30.0) as started:
        for server in primaries(started):  # a replica is named once it has something
            server.client.flushall()
        until(lambda: len(started.slots.replicas) == 3, 30, "the replicas are named")
        yield started


@pytest.fixture
def cluster(shared: RedisCluster) -> Iterator[RedisCluster]:
    """A cluster without keys and users, of three primaries and three replicas."""
    for server in primaries(shared):
        server.client.flushall()
    yield shared
    for server in shared.servers:
        server.run("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.run("ACL", "DELUSER", USER)


def primaries(cluster: RedisCluster) -> list[ClusterServer]:
    return [cluster.at(server) for server in cluster.slots.servers]


def refusals(address: RedisAddress, home_id: str = "home-1") -> dict[str, str]:
    return {each.name: each.help for each in examine_redis(address, home_id) if each.help}


def test_a_cluster_is_one_homes(cluster: RedisCluster) -> None:
    assert enter_redis(cluster.address, "home-1").startswith("attached: cluster of 3 primaries and 3 replicas")
    assert enter_redis(cluster.address, "home-1")
    with pytest.raises(BadInput, match=r"Redis: owner: .* got another home's: home-1 \(redis\.url names another clu"):
        enter_redis(cluster.address, "home-2")
    with pytest.raises(BadInput, match="another home's: home-1"):
        claim_redis(cluster.address, "home-2")
    keys = [key for server in primaries(cluster) for key in server.client.scan_iter()]
    assert keys == [HOME_KEY.encode()], "no key of the door's stays"


def test_nothing_is_tried_in_another_homes(cluster: RedisCluster) -> None:
    enter_redis(cluster.address, "home-1")
    written = [server.client.info("persistence")["rdb_changes_since_last_save"] for server in primaries(cluster)]
    assert set(refusals(cluster.address, "home-2")) == {"Redis: owner"}
    now = [server.client.info("persistence")["rdb_changes_since_last_save"] for server in primaries(cluster)]
    assert now == written


def test_it_is_entered_by_whichever_named_server_answers(cluster: RedisCluster) -> None:
    (nobody,) = free_ports(1)
    live = cluster.servers[4].server
    assert not refusals(RedisAddress("127.0.0.1", nobody, cluster=True, others=(live,)))
    assert list(refusals(RedisAddress("127.0.0.1", nobody, cluster=True))) == ["Redis"]


def test_the_settings_say_which_it_is(cluster: RedisCluster, tmp_path: Path) -> None:
    alone = msgspec.structs.replace(cluster.address, cluster=False, others=())
    assert refusals(alone)["Redis: mode"] == "redis.cluster = true"
    with redis_process(tmp_path) as server:
        assert refusals(RedisAddress("127.0.0.1", server.port, cluster=True)) == {
            "Redis: mode": "leave out redis.cluster"
        }


@pytest.mark.parametrize("number", [1, 4])
def test_each_server_is_examined_a_replica_too(cluster: RedisCluster, number: int) -> None:
    server = cluster.servers[number]
    server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert list(refusals(cluster.address)) == [f"Redis 127.0.0.1:{server.port}: maxmemory-policy"]


def set_user(cluster: RedisCluster, *rules: str, but: ClusterServer | None = None) -> RedisAddress:
    for server in cluster.servers:
        if server is not but:
            server.run("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", *rules)
    return msgspec.structs.replace(cluster.address, user=USER, password=PASSWORD)


def test_what_the_door_says_to_grant_will_do(cluster: RedisCluster) -> None:
    rules = [rule for rule in GRANT.format(user=USER).split()[3:] if rule not in ("on", ">PASSWORD")]
    assert not refusals(set_user(cluster, *rules))


def test_rights_are_each_servers(cluster: RedisCluster) -> None:
    address = set_user(cluster, "~*", "&*", "+@all")
    lacking = primaries(cluster)[2]
    lacking.run("ACL", "SETUSER", USER, "-eval")
    assert refusals(address) == {f"Redis 127.0.0.1:{lacking.port}: rights, eval": GRANT.format(user=USER)}


def test_a_user_that_one_server_does_not_know_is_refused_there(cluster: RedisCluster) -> None:
    unknown = cluster.servers[5]
    address = set_user(cluster, "~*", "&*", "+@all", but=unknown)
    assert list(refusals(address)) == [f"Redis 127.0.0.1:{unknown.port}: login"]
    assert "cluster|slots" in "".join(refusals(set_user(cluster, "~*", "&*", "+@all", "-cluster")))


def test_slots_that_nobody_serves_are_counted(tmp_path: Path) -> None:
    with redis_cluster(tmp_path, replicas=False) as other:
        other.servers[0].run("CLUSTER", "DELSLOTSRANGE", 0, 99)

        def is_counted() -> bool:
            for server in other.servers[1:]:  # until none has them of another's last word
                missing = SlotMap(read_shards(server.run("CLUSTER", "SLOTS"), server.server)).missing
                if not missing:
                    server.run("CLUSTER", "DELSLOTSRANGE", 0, 99)
            found = {each.name: each.found for each in examine_redis(other.address, "home-1") if each.help}
            return found == {"Redis: cluster": "100 of 16384 are not"}

        until(is_counted, 20, "they are counted")


def test_every_client_enters_each_server_by_tls_and_password(tmp_path: Path) -> None:
    drawn = certificates(tmp_path / "certificates")
    shown = drawn.signed("IP:127.0.0.1")
    with three_primaries(tmp_path / "cluster") as cluster, ExitStack() as doors:
        ports = [doors.enter_context(by_tls(server.port, shown)) for server in cluster.servers]
        for server, port in zip(cluster.servers, ports, strict=True):
            server.run("CONFIG", "SET", "cluster-announce-port", port)
            server.run("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all")
            server.run("ACL", "SETUSER", "default", "off")
        address = RedisAddress("127.0.0.1", ports[0], 0, Tls(drawn.ca), USER, PASSWORD, cluster=True)
        until(lambda: named(address) == set(ports), 90, "the servers are named by their new ports")
        assert enter_redis(address, "home-1").startswith("attached: cluster of 3 primaries")
        writer = FeatureWriter(address, 1, "users", 0)
        keys = [user_key(number) for number in range(20)]
        writer.put({key: UserWrite(1, 0, b"features") for key in keys})
        writer.tick()
        assert writer.unsent(set(keys)) == set()
        writer.close()
        assert len(RedisRun(tmp_path / "run.json", address).read_instances()[0].servers) == 3

        async def read() -> list[object]:
            reader, updates = RedisReader(address), UserUpdates(address)
            try:
                async with updates.subscribe(5, timeout=10) as updated:
                    with RedisNodes(address, 5) as nodes:
                        nodes.primaries()[-1].client.publish(user_channel(5), "1")
                    await asyncio.wait_for(updated.wait(), 10)
                return await reader.read_each([(key, pack_command(("HGET", key, "v"))) for key in keys])
            finally:
                await updates.stop()
                await reader.close()

        assert asyncio.run(read()) == [b"features"] * len(keys)


def named(address: RedisAddress) -> set[int]:
    """The ports of the primaries; none while one can't be entered."""
    with RedisNodes(address, 5) as nodes, suppress(redis.RedisError):
        return {primary.address.port for primary in nodes.primaries()}
    return set()
