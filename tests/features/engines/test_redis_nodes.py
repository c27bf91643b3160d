"""Commands to all servers of a real Redis Cluster: replies in order, slots that move, a primary that dies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.store.redis_scripts import ADVANCE_CLOCK
from infra.system.processes import free_ports
from tests.home import until
from tests.redis_cluster import ClusterServer, RedisCluster, redis_cluster, three_primaries
from tests.redis_process import redis_process

pytestmark = pytest.mark.services

KEYS = [f"k{number}" for number in range(50)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with three_primaries(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def nodes(shared: RedisCluster) -> Iterator[RedisNodes]:
    """Clients of an empty cluster that have asked before who has which slots."""
    for server in shared.servers:
        server.client.flushall()
        server.run("SCRIPT", "FLUSH")
    with RedisNodes(shared.address, 5) as opened:
        fill(opened)
        yield opened


def fill(nodes: RedisNodes) -> None:
    pipe = nodes.pipeline()
    for number, key in enumerate(KEYS):
        pipe.add("set", key, number)
    assert pipe.execute() == [True] * len(KEYS)


def read_all(nodes: RedisNodes) -> list[object]:
    pipe = nodes.pipeline()
    for key in KEYS:
        pipe.add("get", key)
    return pipe.execute()


def test_replies_come_in_order_from_a_cluster_and_from_a_server(
    shared: RedisCluster, nodes: RedisNodes, tmp_path: Path
) -> None:
    wanted = [b"%d" % number for number in range(50)]
    assert read_all(nodes) == wanted
    assert sorted(nodes.scan()) == sorted(key.encode() for key in KEYS)
    assert len(nodes.primaries()) == 3
    assert {shared.owner_of(primary.key("x")).port for primary in nodes.primaries()} == {
        each.port for each in shared.servers
    }
    with redis_process(tmp_path) as server, RedisNodes(RedisAddress("127.0.0.1", server.port), 5) as one:
        fill(one)
        assert read_all(one) == wanted
        assert sorted(one.scan()) == sorted(key.encode() for key in KEYS)
        assert [primary.key("x") for primary in one.primaries()] == ["x"]


def test_slots_that_moved_and_that_move_are_followed(shared: RedisCluster, nodes: RedisNodes) -> None:
    target = other_than_owner(shared, "k7")
    shared.begin_move("k7", target)
    assert nodes.call("set", "new:{k7}", 1) is True
    assert nodes.call("get", "k7") == b"7"
    shared.end_move("k7", target)
    assert read_all(nodes) == [b"%d" % number for number in range(50)]
    assert nodes.owner_of("k7").get("new:{k7}") == b"1"


def test_a_script_is_loaded_where_it_is_not(nodes: RedisNodes) -> None:
    pipe = nodes.pipeline()
    for key in KEYS:
        pipe.add_script(ADVANCE_CLOCK, [key], [1_000])
    assert pipe.execute() == [1] * len(KEYS)
    assert read_all(nodes) == [b"1000"] * len(KEYS)


def other_than_owner(shared: RedisCluster, key: str) -> ClusterServer:
    return next(each for each in shared.servers if each is not shared.owner_of(key))


def test_a_script_is_loaded_where_a_slot_that_moves_goes(shared: RedisCluster, nodes: RedisNodes) -> None:
    def advance(key: str) -> object:
        pipe = nodes.pipeline()
        pipe.add_script(ADVANCE_CLOCK, [key], [1_000])
        return pipe.execute()[0]

    assert advance("k9") == 1  # its owner has the script now
    target = other_than_owner(shared, "k9")
    target.run("SCRIPT", "FLUSH")
    shared.begin_move("k9", target)
    assert advance("new:{k9}") == 1
    shared.end_move("k9", target)


def test_a_server_that_is_redirected_to_without_a_name_is_where_the_other_one_is(
    shared: RedisCluster, nodes: RedisNodes
) -> None:
    for server in shared.servers:
        server.run("CONFIG", "SET", "cluster-preferred-endpoint-type", "unknown-endpoint")
    try:
        target = other_than_owner(shared, "k11")
        shared.begin_move("k11", target)
        assert nodes.call("set", "new:{k11}", 1) is True
        shared.end_move("k11", target)
        assert read_all(nodes) == [b"%d" % number for number in range(50)]
    finally:
        for server in shared.servers:
            server.run("CONFIG", "SET", "cluster-preferred-endpoint-type", "ip")


def test_the_first_error_is_raised_and_the_rest_is_done(nodes: RedisNodes) -> None:
    pipe = nodes.pipeline()
    pipe.add("hget", "k1", "x")
    pipe.add("set", "k2", "done")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        pipe.execute()
    assert nodes.call("get", "k2") == b"done"


def test_where_nobody_answers_a_redis_error_says_so() -> None:
    ports = free_ports(2)
    address = RedisAddress("127.0.0.1", ports[0], cluster=True, others=(("127.0.0.1", ports[1]),))
    with RedisNodes(address, 1) as nodes, pytest.raises(redis.ConnectionError):
        nodes.call("get", "k1")


def test_after_a_primary_died_its_successor_is_found(tmp_path: Path) -> None:
    others_go_on = ("--cluster-require-full-coverage", "no")
    with redis_cluster(tmp_path, options=others_go_on) as cluster, RedisNodes(cluster.address, 2) as nodes:
        fill(nodes)
        dead = cluster.owner_of("k7")
        until(lambda: dead.client.wait(1, 1000) >= 1, 30, "its replica has all")
        dead.kill()

        def is_back() -> bool:
            try:
                return read_all(nodes) == [b"%d" % number for number in range(50)]
            except redis.RedisError:
                return False

        until(is_back, 60, "all is read")
