"""What benchmarks see of a real Redis: the words of its scripts, the lanes, the items."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from benchmarks.harness.engines.flink_cluster import Cluster
from benchmarks.harness.event_latency import Seen
from benchmarks.harness.job_progress import (
    JobFollower,
    contributions,
    folded,
    ledger,
    newest_event,
    refuse_what_is_known,
)
from benchmarks.harness.traffic import Helper
from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.engines.shared_engines import Engines
from features.errors import BadInput, Broken, Unavailable
from features.keys import DEFAULT_PARTITIONS, hidden_key, item_key, pairs_key, seen_key, user_key
from features.store.job_status import Lane, lane_fields, lane_key
from features.store.redis_scripts import CHANGE, WRITE_USER, user_arguments
from tests.home import until
from tests.redis_process import redis_process

NOWHERE = Cluster("http://127.0.0.1:1")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis_process(tmp_path_factory.mktemp("redis")) as server:
        yield server.port


@pytest.fixture
def client(port: int) -> Iterator["redis.Redis"]:
    made = redis.Redis(port=port, socket_timeout=10)
    made.flushall()
    yield made
    made.close()


def engines_at(port: int, path: Path) -> Path:
    """Write a file of engines whose Redis has a port."""
    engines = Engines(KafkaAddress("127.0.0.1:1"), RedisAddress("127.0.0.1", port))
    path.write_bytes(msgspec.json.encode(engines))
    return path


def put_lane(client: "redis.Redis", lane: int, n: int, applied: int, watermark_ms: int = 0) -> None:
    one = Lane(generation=1, next_offset=n, read=n, applied=applied, duplicate=n - applied, watermark_ms=watermark_ms)
    fields: Any = lane_fields(one)
    client.hset(lane_key(lane), mapping=fields)


def test_the_subscriber_notes_each_write_that_changed_something(
    port: int, client: "redis.Redis", tmp_path: Path
) -> None:
    out, engines = tmp_path / "seen.npz", tmp_path / "engines.json"
    engines_at(port, engines)
    listener = Helper("subscriber", "listening", ["--engines", str(engines), "--out", str(out)])
    try:
        write = client.register_script(WRITE_USER)
        began = time.monotonic_ns()
        for user_id, n in ((7, 3), (8, 1), (7, 9), (7, 4)):  # the last is older than what is there
            arguments = user_arguments(1, n, 0, b"", CHANGE, {})
            write(keys=[user_key(user_id), seen_key(user_id), hidden_key(user_id)], args=arguments)
        listener.end()
    finally:
        listener.kill()
    seen = Seen.load(out)
    assert list(zip(seen.user.tolist(), seen.n.tolist(), strict=True)) == [(7, 3), (8, 1), (7, 9)]
    assert all(began < at < time.monotonic_ns() for at in seen.at.tolist())


def test_a_helper_that_fails_says_so(tmp_path: Path) -> None:
    arguments = ["--engines", str(engines_at(1, tmp_path / "engines.json")), "--out", str(tmp_path / "none.npz")]
    with pytest.raises(Unavailable, match=r"benchmarks\.subscriber said '', expected 'listening'"):
        Helper("subscriber", "listening", arguments)


def test_lanes_and_items_are_summed(port: int, client: "redis.Redis") -> None:
    nodes = RedisNodes(RedisAddress("127.0.0.1", port), 10)
    assert folded(nodes, DEFAULT_PARTITIONS) == [0] * DEFAULT_PARTITIONS
    put_lane(client, 0, 5, 4)
    put_lane(client, 7, 6, 6)
    client.hset(item_key(3), mapping={"n": 10})
    assert folded(nodes, DEFAULT_PARTITIONS) == [5, 0, 0, 0, 0, 0, 0, 6]
    assert ledger(nodes, DEFAULT_PARTITIONS) == {
        "applied": 10,
        "duplicate": 1,
        "late": 0,
        "rejected": 0,
        "rerouted": 0,
        "marks": 0,
    }
    client.hset(pairs_key(4), mapping={"n": 2})
    assert contributions(nodes, [3, 4]) == (10, 2)


def test_a_home_that_knows_what_comes_is_not_asked_for_it(port: int, client: "redis.Redis") -> None:
    nodes, home = RedisNodes(RedisAddress("127.0.0.1", port), 10), Path("/home/shop")
    assert newest_event(nodes, DEFAULT_PARTITIONS) == 0
    put_lane(client, 0, 5, 4, watermark_ms=1_700_000_000_000)
    put_lane(client, 7, 6, 6, watermark_ms=1_600_000_000_000)
    newest = newest_event(nodes, DEFAULT_PARTITIONS)
    refuse_what_is_known(home, newest, 1_700_000_000_001)
    with pytest.raises(BadInput, match=r"knows nothing of what comes from 2023-11-14 22:13:20 UTC on.*got /home/shop"):
        refuse_what_is_known(home, newest, 1_700_000_000_000)
    nodes.close()


def test_a_watch_ends_when_lanes_items_and_pairs_hold_all(port: int, client: "redis.Redis") -> None:
    ends = [100] + [0] * (DEFAULT_PARTITIONS - 1)
    follower = JobFollower(RedisAddress("127.0.0.1", port), ends, [3], NOWHERE)
    follower.start()
    for n in (10, 60, 100):
        put_lane(client, 0, n, n)
        until(lambda: follower.records == n, 20, "it is seen")  # noqa: B023
    assert follower.is_alive()  # the users are done, the items are not
    client.hset(item_key(3), mapping={"n": 100})
    pairs_written = time.monotonic()
    client.hset(pairs_key(3), mapping={"n": 7})
    line = follower.result(20)
    assert [records for _, records in line.samples] == [10, 60, 100]
    assert line.items_done is not None
    assert line.items_done > pairs_written
    assert line.rate() == pytest.approx(90 / (line.items_done - line.samples[0][0]))


def test_a_watch_tells_items_that_hold_too_much(port: int, client: "redis.Redis") -> None:
    put_lane(client, 0, 10, 9)
    client.hset(item_key(3), mapping={"n": 10})
    follower = JobFollower(RedisAddress("127.0.0.1", port), [10] + [0] * (DEFAULT_PARTITIONS - 1), [3], NOWHERE)
    follower.start()
    with pytest.raises(Broken, match="the items hold 10 contributions, 9 events were applied"):
        follower.result(20)


def test_a_watch_is_bounded(port: int, client: "redis.Redis") -> None:
    follower = JobFollower(RedisAddress("127.0.0.1", port), [10] * DEFAULT_PARTITIONS, None, NOWHERE)
    follower.start()
    with pytest.raises(Unavailable, match="was not folded within 0"):
        follower.result(0.3)
    assert not follower.is_alive()
