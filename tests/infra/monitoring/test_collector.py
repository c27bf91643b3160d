"""Taking a snapshot: a real Redis, and services that are down or silent."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.keys import CLOCK_KEY
from features.store.freshness import FreshnessHistogram
from features.store.job_status import fresh_key, lane_fields, lane_key
from infra.monitoring import collector
from infra.monitoring.collector import Collector
from infra.monitoring.flink_status import checkpoints_of, short_name
from infra.monitoring.probed_servers import probed_servers
from infra.monitoring.snapshot import API, MODEL_SERVER, Checkpoints, Snapshot
from infra.system.processes import free_ports
from online.support.home_clock import HomeClock
from tests.flink_stub import flink_stub
from tests.home import until
from tests.infra.monitoring.snapshots import lane
from tests.redis_process import RedisProcess, redis_process
from tests.strange_listeners import address_of, connections_to, silent_listener

pytestmark = pytest.mark.services

BOUND = collector.KAFKA_TIMEOUT + collector.REDIS_TIMEOUT + collector.RECORDS_TIMEOUT


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as made:
        yield made


@pytest.fixture
def silent_port() -> Iterator[int]:
    with silent_listener() as listener:
        yield listener.getsockname()[1]


def collector_of(kafka: int, redis: int, flink: int | str) -> Collector:
    """Returns a collector of what is at these ports; `flink`: a port, or addresses with commas between."""
    clock = HomeClock(500, 0, 0, wall=lambda: 1_000)
    rest = flink if isinstance(flink, str) else f"http://127.0.0.1:{flink}"
    where = KafkaAddress(f"127.0.0.1:{kafka}"), RedisAddress("127.0.0.1", redis), rest
    return Collector(*where, generation=2, clock=clock)


def test_lanes_histograms_and_the_clock_come_from_redis(redis: RedisProcess) -> None:
    mine = lane(6, generation=2)
    for number, stored in ((3, mine), (4, lane(9, generation=1))):
        fields: Any = lane_fields(stored)
        redis.client.hset(lane_key(number), mapping=fields)
    histogram = FreshnessHistogram()
    histogram.add(7)
    redis.client.set(fresh_key("items", 1), histogram.to_json())
    redis.client.set(CLOCK_KEY, 8_000)
    unreachable = free_ports(2)
    collector = collector_of(unreachable[0], redis.port, unreachable[1])

    def snapshot_with_redis() -> Snapshot | None:
        snapshot = collector.take_snapshot()
        return None if "redis" in snapshot.failures else snapshot

    snapshot = until(snapshot_with_redis, 30, "Redis answers")
    assert snapshot.lanes == {3: mine}  # lane 4 is what a generation before this one has left
    assert snapshot.fresh == {("items", 1): histogram}
    assert snapshot.clock == 9_000
    assert (snapshot.log, snapshot.job) == (None, None)
    assert set(snapshot.failures) == {"kafka", "flink"}
    collector.close()


def test_what_is_no_lane_is_named_and_hides_nothing_else(redis: RedisProcess) -> None:
    redis.client.hset(lane_key(0), mapping={"g": "2", "n": "many"})
    unreachable = free_ports(2)
    collector = collector_of(unreachable[0], redis.port, unreachable[1])
    assert "job:0" in collector.take_snapshot().failures["redis"]
    collector.close()


def test_silent_services_cost_no_more_than_the_bound_and_are_named(silent_port: int) -> None:
    collector = collector_of(silent_port, silent_port, silent_port)
    for _ in range(2):  # the second time each may still be busy with the first question
        began = time.monotonic()
        snapshot = collector.take_snapshot()
        assert time.monotonic() - began < 4 * BOUND  # left alone, the clients would try for a minute and more
        assert set(snapshot.failures) == {"kafka", "redis", "flink"}
        assert all(snapshot.failures.values())
    collector.close()


def test_servers_are_probed_where_there_are_any_and_a_silent_one_is_named(silent_port: int) -> None:
    kafka, redis, flink = free_ports(3)
    api: list[str] = []
    with flink_stub() as server:
        servers = probed_servers(lambda: dict.fromkeys(api, ""), lambda: {server.address: ""})
        clock = HomeClock(500, 0, 0, wall=lambda: 1_000)
        engines = KafkaAddress(f"127.0.0.1:{kafka}"), RedisAddress("127.0.0.1", redis), f"http://127.0.0.1:{flink}"
        collector = Collector(*engines, generation=2, clock=clock, probed=servers)
        snapshot = collector.take_snapshot()
        assert snapshot.probed == (MODEL_SERVER,)
        assert MODEL_SERVER not in snapshot.failures
        api.append(f"http://127.0.0.1:{silent_port}")
        snapshot = collector.take_snapshot()
        assert snapshot.probed == (API, MODEL_SERVER)
        assert str(silent_port) in snapshot.failures[API]
        assert MODEL_SERVER not in snapshot.failures
        collector.close()


def test_a_job_manager_that_is_silent_hides_no_other_and_is_asked_once() -> None:
    kafka, redis = free_ports(2)
    with silent_listener() as silent, flink_stub() as flink:
        flink.answers["/jobs/overview"] = {"jobs": []}
        collector = collector_of(kafka, redis, f"{address_of(silent)},{flink.address}")
        for asked in (1, 0):
            assert "flink" not in collector.take_snapshot().failures
            assert connections_to(silent) == asked
        collector.close()


def test_redis_is_told_again_once_it_is_back(tmp_path: Path) -> None:
    unreachable = free_ports(2)
    with redis_process(tmp_path) as server:
        collector = collector_of(unreachable[0], server.port, unreachable[1])
        assert collector.take_snapshot().lanes == {}
        server.process.kill()
        server.process.wait(5)
        snapshot = collector.take_snapshot()
        assert snapshot.lanes is None
        assert "redis" in snapshot.failures
    collector.close()


def completed(number: int, at: int) -> dict[str, object]:
    return {
        "id": number, "status": "COMPLETED", "latest_ack_timestamp": at, "end_to_end_duration": 40, "state_size": 1000
    }  # fmt: skip


def test_checkpoints_from_flinks_words() -> None:
    counts = {"restored": 0, "total": 0, "in_progress": 0, "completed": 0, "failed": 0}
    empty = {"completed": None, "savepoint": None, "failed": None, "restored": None}
    assert checkpoints_of({"counts": counts, "latest": empty, "history": []}) == Checkpoints()
    failed = {"id": 3, "status": "FAILED", "failure_message": "No space left on device\n\tat java.io"}
    history = [{"id": 5, "status": "IN_PROGRESS"}, failed, failed, completed(2, 900), failed]
    latest = {"completed": completed(2, 900), "savepoint": completed(1, 950), "failed": failed, "restored": None}
    found = checkpoints_of({"counts": counts | {"completed": 2, "failed": 3}, "latest": latest, "history": history})
    assert found == Checkpoints(
        completed=2, failed=3, failed_in_a_row=2, failure="No space left on device",
        completed_at=950, duration_ms=40, state_bytes=1000,
    )  # fmt: skip


def test_tasks_have_short_names() -> None:
    assert short_name("Source: log -> batches") == "source log"
    assert short_name("users -> (_stream_key_by_map_operator, Map -> DataStreamToTable)") == "users"
