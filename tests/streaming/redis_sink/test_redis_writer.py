"""The writer against a real Redis: coalescing, fences, and a Redis that is away."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from benchmarks.faults.suspended import resume, suspend, suspended
from features.engines.redis_address import RedisAddress
from features.keys import CHANGED_KEYS, ITEMS_RETAINED, ITEMS_STREAM, item_key, seen_key, user_key
from features.store.freshness import FreshnessHistogram
from features.store.job_status import fresh_key
from features.types import FOREVER
from infra.system import packages, probes
from infra.system.processes import free_ports, spawn
from streaming.operators.stored_state import StoredLane
from streaming.redis_sink.redis_commands import LaneWrite, StateWrite, UserWrite
from streaming.redis_sink.redis_writer import BUFFER_KEYS, REPORT_EVERY, FeatureWriter
from streaming.redis_sink.server_pipe import CALL_TIMEOUT, IN_FLIGHT
from streaming.testing.manual_time import ManualTime
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.home import until
from tests.patience import patience

pytestmark = pytest.mark.services


def start_redis(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    argv = [
        str(packages.redis_server()),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    process = spawn(argv, folder / "redis.log", dict(os.environ), folder)

    def ready() -> bool:
        try:
            probes.redis_ready(port)
        except Exception:
            return False
        return True

    until(ready, 20, "Redis")
    return process


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    port = free_ports(1)[0]
    process = start_redis(tmp_path, port)
    yield port, process
    resume(process.pid)
    process.kill()
    process.wait(10)


@contextmanager
def slowed(pid: int) -> Iterator[None]:
    """A process runs for a moment in each quarter of a second, while the context lasts."""
    ended = threading.Event()

    def slow_down() -> None:
        while not ended.wait(0.005):
            with suspended(pid):
                ended.wait(0.25)

    thread = threading.Thread(target=slow_down)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(patience(10))


def settle(writer: FeatureWriter, *keys: str) -> None:
    def acknowledged() -> bool:
        writer.tick()
        return not writer.unsent(set(keys))

    until(acknowledged, 20, "all is acknowledged")


def test_writes_are_absolute_fenced_and_coalesced(server: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    port, _ = server
    client = redis.Redis(port=port, decode_responses=False)
    writer = FeatureWriter(RedisAddress("127.0.0.1", port), 2, "users", 0)
    key = user_key(7)
    writer.put({key: UserWrite(5, 100, b"five", {1: FOREVER, 2: FOREVER})})
    settle(writer, key)
    writer.put({key: UserWrite(4, 100, b"older", {9: FOREVER})})
    settle(writer, key)
    assert client.hget(key, "v") == b"five"
    assert client.smembers(seen_key(7)) == {b"1", b"2"}
    writer.put({key: UserWrite(6, 100, b"six", {2: 0, 3: FOREVER}), item_key(3): StateWrite(1, 100, b"item")})
    settle(writer, key, item_key(3))
    assert client.smembers(seen_key(7)) == {b"1", b"3"}
    assert client.hget(item_key(3), "v") == b"item"
    writer.close()
    lower = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0)
    lower.put({key: UserWrite(99, 100, b"of a generation before")})
    settle(lower, key)
    assert client.hget(key, "v") == b"six"
    lower.close()
    client.close()


def test_what_comes_while_redis_hangs_is_written_afterwards_in_one(
    server: tuple[int, "subprocess.Popen[bytes]"],
) -> None:
    port, process = server
    writer = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0)
    key = user_key(7)
    writer.put({key: UserWrite(1, 100, b"one", {1: FOREVER})})
    settle(writer, key)
    suspend(process.pid)
    for n in range(2, 50):
        writer.put({key: UserWrite(n, 100, b"%d" % n, {n: FOREVER, n - 1: 0})})
    assert writer.unsent({key}) == {key}
    resume(process.pid)
    settle(writer, key)
    client = redis.Redis(port=port)
    assert client.hget(key, "v") == b"49"
    assert client.smembers(seen_key(7)) == {b"49"}
    writer.close()
    client.close()


def test_few_batches_are_on_their_way_at_once_and_the_rest_is_known_to_be_there(
    server: tuple[int, "subprocess.Popen[bytes]"],
) -> None:
    port, _ = server
    writer = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0)
    keys = [user_key(number) for number in range(20)]
    for key in keys:
        writer.put({key: UserWrite(1, 100, b"one")})
    assert writer.unsent(set(keys)) == set(keys[-IN_FLIGHT:])
    settle(writer, *keys)
    writer.close()


def test_what_a_redis_that_died_had_not_acknowledged_goes_to_the_next(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    process = start_redis(tmp_path, port)
    writer = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0)
    try:
        suspend(process.pid)  # it takes the write and answers nothing
        writer.put({user_key(1): UserWrite(1, 100, b"one", {1: FOREVER})})
        process.kill()
        process.wait(10)
        writer.put({user_key(1): UserWrite(2, 100, b"two", {2: FOREVER}), user_key(2): UserWrite(1, 100, b"other")})
        assert writer.unsent({user_key(1), user_key(2)}) == {user_key(1), user_key(2)}
        process = start_redis(tmp_path, port)
        settle(writer, user_key(1), user_key(2))
        with redis.Redis(port=port) as client:
            assert client.hget(user_key(1), "v") == b"two"
            assert client.smembers(seen_key(1)) == {b"1", b"2"}
            assert client.hget(user_key(2), "v") == b"other"
        writer.close()
    finally:
        process.kill()
        process.wait(10)


def test_freshness_is_by_the_moment_of_the_write_not_of_reading_its_answer(
    server: tuple[int, "subprocess.Popen[bytes]"],
) -> None:
    port, _ = server
    time_source = ManualTime(0)
    writer = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0, time_source=time_source)
    began = int(time.time() * 1000) - 50
    writer.put({user_key(1): UserWrite(1, began, b"one")})
    with redis.Redis(port=port) as client:
        until(lambda: client.exists(user_key(1)), 20, "it is written")
    written = time.time() * 1000
    time.sleep(0.5)  # its answer is read late
    settle(writer, user_key(1))
    fresh = reported(writer, time_source, port)
    assert fresh.count == 1
    assert 50 <= fresh.sum_ms <= written - began + 1
    assert reported(writer, time_source, port) == fresh, (
        "what was reported once does not count again, nor does a report"
    )
    writer.close()


def test_a_write_that_says_nothing_of_freshness_is_not_counted(server: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    port, _ = server
    time_source = ManualTime(0)
    writer = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0, time_source=time_source)
    now = int(time.time() * 1000)
    for user, broker_ts in enumerate((0, now, 0, now, 0)):
        writer.put({user_key(user): UserWrite(1, broker_ts, b"x")})
        settle(writer, user_key(user))
    assert reported(writer, time_source, port).count == 2
    writer.close()


def reported(writer: FeatureWriter, time_source: ManualTime, port: int) -> FreshnessHistogram:
    """What the writer reports with the next write, of all those before it."""
    time_source.advance(2 * REPORT_EVERY)
    writer.put({user_key(99): UserWrite(1, 0, b"reports")})
    settle(writer, user_key(99))
    with redis.Redis(port=port) as client:
        return FreshnessHistogram.from_json(client.get(fresh_key("users", 0)))


def test_a_later_generation_begins_with_a_seen_set_of_its_own(server: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    port, _ = server
    for generation, item in ((1, 11), (2, 22)):
        writer = FeatureWriter(RedisAddress("127.0.0.1", port), generation, "users", 0)
        writer.put({user_key(7): UserWrite(1, 100, b"v", {item: FOREVER})})
        writer.close()
    with redis.Redis(port=port) as client:
        assert client.smembers(seen_key(7)) == {b"22"}


def test_a_lane_never_goes_back(server: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    port, _ = server
    writer = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0)
    client = redis.Redis(port=port)
    for applied, wanted in ((5, b"5"), (3, b"5"), (6, b"6")):
        writer.put({"job:0": LaneWrite(StoredLane(n=applied, applied=applied).published(1, 0))})
        settle(writer, "job:0")
        assert client.hget("job:0", "applied") == wanted
    writer.close()
    client.close()


def test_a_users_whole_write_replaces_the_seen_set(server: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    port, _ = server
    writer, key = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0), user_key(7)
    for write in (UserWrite(1, 100, b"v", {1: FOREVER}), UserWrite(2, 100, b"v", {2: FOREVER}, True)):
        writer.put({key: write})
        settle(writer, key)
    with redis.Redis(port=port) as client:
        assert client.smembers(seen_key(7)) == {b"2"}
    writer.close()


def over_unsteady(port: int) -> tuple[FeatureWriter, ManualTime, UnsteadyRedis]:
    time_source = ManualTime(0)
    redis_server = UnsteadyRedis(time_source)
    seams: dict[str, Any] = {"connect": redis_server.connect, "time_source": time_source}
    return FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0, **seams), time_source, redis_server


def test_what_was_in_flight_when_the_connection_broke_waits_again(
    server: tuple[int, "subprocess.Popen[bytes]"],
) -> None:
    writer, time_source, redis_server = over_unsteady(server[0])
    one, two = user_key(1), user_key(2)
    writer.put({one: UserWrite(1, 100, b"one")})
    redis_server.away(1.0)
    writer.put({two: UserWrite(1, 100, b"two")})
    assert writer.unsent({one, two}) == {one, two}
    time_source.advance(2.0)
    settle(writer, one, two)
    with redis.Redis(port=server[0]) as client:
        assert [client.hget(key, "v") for key in (one, two)] == [b"one", b"two"]
    writer.close()


def test_after_a_failure_the_newest_of_a_key_counts(server: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    """Older ones are in flight, and fail, while a newer one waits."""
    writer, time_source, redis_server = over_unsteady(server[0])
    key = user_key(1)
    for n in range(1, IN_FLIGHT + 1):
        writer.put({key: UserWrite(n, 100, b"%d" % n, {n: FOREVER})})
    redis_server.lose_replies()
    writer.put({key: UserWrite(99, 100, b"newest", {99: FOREVER})})
    time_source.advance(2.0)
    settle(writer, key)
    with redis.Redis(port=server[0]) as client:
        assert client.hget(key, "v") == b"newest"
        assert client.smembers(seen_key(1)) == {b"%d" % n for n in (*range(1, IN_FLIGHT + 1), 99)}
    writer.close()


def test_changed_items_are_told_in_a_stream_of_bounded_length(server: tuple[int, Any]) -> None:
    port, _ = server
    client, writer = redis.Redis(port=port), FeatureWriter(RedisAddress("127.0.0.1", port), 1, "items", 0)
    writer.put({item_key(7): StateWrite(1, 0, b"x"), user_key(3): UserWrite(1, 0, b"x"), "p:7": StateWrite(1, 0, b"y")})
    settle(writer, item_key(7))
    entries: Any = client.xrange(ITEMS_STREAM)
    assert [fields for _, fields in entries] == [{CHANGED_KEYS.encode(): b"i:7,p:7"}]
    for number in range(2, ITEMS_RETAINED + 300):
        writer.put({item_key(7): StateWrite(number, 0, b"x")})
        writer.tick()
    assert ITEMS_RETAINED <= client.xlen(ITEMS_STREAM) < ITEMS_RETAINED + 200
    writer.close()


def test_a_redis_that_takes_long_for_all_that_waits_gets_it(server: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    """As after a long absence of many users with much each: it takes some all the time, and the rest later than any one wait."""
    port, process = server
    writer = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0)
    keys = [user_key(number) for number in range(BUFFER_KEYS)]
    writer.put({keys[0]: UserWrite(1, 100, b"one")})
    settle(writer, keys[0])
    whole = {key: UserWrite(2, 100, bytes(12_000), whole=True) for key in keys}
    with slowed(process.pid):
        began = time.monotonic()
        writer.put(whole)
        settle(writer, *keys)
        assert time.monotonic() - began > CALL_TIMEOUT, "or nothing was long"
    writer.close()


def test_what_redis_refused_comes_with_what_it_took_later(server: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    """It has no memory for one write, and has some again before anybody reads its reply."""
    port, _ = server
    client: Any = redis.Redis(port=port)
    writer, key = FeatureWriter(RedisAddress("127.0.0.1", port), 1, "users", 0), user_key(7)

    def put(n: int) -> None:
        writer.put({key: UserWrite(n, 100, b"%d" % n, {n: FOREVER})})

    put(1)
    settle(writer, key)
    refused = len(client.info("errorstats"))
    client.config_set("maxmemory", 1)
    put(2)
    until(lambda: len(client.info("errorstats")) > refused, 10, "it is refused")
    client.config_set("maxmemory", 0)
    put(3)
    put(4)
    settle(writer, key)
    assert client.hget(key, "v") == b"4"
    assert client.smembers(seen_key(7)) == {b"1", b"2", b"3", b"4"}
    writer.close()
