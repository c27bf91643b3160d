"""The job's metrics in /metrics, from a real Redis that the test fills as the job does."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.faults.suspended import resume, suspend
from features.engines.redis_address import RedisAddress
from features.store.freshness import FreshnessHistogram
from features.store.job_status import Lane, fresh_key, lane_fields, lane_key
from online.monitoring.job_metrics import JobMetrics
from tests.redis_process import RedisProcess, redis_process

LANES = 12
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as made:
        yield made


def run(redis: RedisProcess, test: Callable[[JobMetrics], Awaitable[None]]) -> None:
    async def with_numbers() -> None:
        numbers = JobMetrics(RedisAddress("127.0.0.1", redis.port), LANES, generation=2, timeout=2)
        try:
            await test(numbers)
        finally:
            await numbers.close()

    asyncio.run(with_numbers())


async def scraped(numbers: JobMetrics) -> Samples:
    """Every sample of a scrape, as Prometheus' own parser reads it."""
    text = (await numbers.exposition()).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, tuple(sorted(labels.items()))))


LANE = Lane(
    generation=2, next_offset=10, served_next=4, read=10, applied=5, duplicate=2, late=1, rejected=1, rerouted=1,
    served_read=4, served_applied=2, served_duplicate=1, served_rejected=1, watermark_ms=700, broker_ms=9, open_lists=3,
    samples=6,
)  # fmt: skip


def write(redis: RedisProcess, number: int, lane: Lane) -> None:
    fields: Any = lane_fields(lane)
    redis.client.hset(lane_key(number), mapping=fields)


def test_lanes_are_added_up_by_verdict(redis: RedisProcess) -> None:
    write(redis, 0, LANE)
    write(redis, 11, msgspec.structs.replace(LANE, next_offset=11, read=11, applied=6, watermark_ms=800))
    write(redis, 6, msgspec.structs.replace(LANE, generation=1, read=1_000))  # a generation before this one

    async def test(numbers: JobMetrics) -> None:
        found = await scraped(numbers)
        verdicts = {name: of(found, "martlet_job_events_total", verdict=name) for name in ("applied", "late")}
        assert verdicts == {"applied": 11, "late": 2}
        assert of(found, "martlet_job_events_read_total") == 21
        assert of(found, "martlet_job_served_total", verdict="duplicate") == 2
        assert of(found, "martlet_job_served_read_total") == 8
        assert of(found, "martlet_job_samples_total") == 12
        assert of(found, "martlet_job_open_lists") == 6
        assert of(found, "martlet_job_watermark_ms") == 800
        assert of(found, "martlet_job_next_offset", partition="11") == 11
        assert of(found, "martlet_job_next_offset", partition="6") is None
        assert of(found, "martlet_job_readable") == 1

    run(redis, test)


def test_freshness_is_a_histogram_in_seconds(redis: RedisProcess) -> None:
    histogram = FreshnessHistogram()
    for ms in (1, 4, 4, 9_000):
        histogram.add(ms)
    redis.client.set(fresh_key("users", 1), histogram.to_json())

    async def test(numbers: JobMetrics) -> None:
        found = await scraped(numbers)
        name, labels = "martlet_feature_freshness_seconds", {"operator": "users", "subtask": "1"}
        buckets = {
            le: of(found, f"{name}_bucket", le=le, **labels) for le in ("0.001", "0.002", "0.005", "5.0", "+Inf")
        }
        assert buckets == {"0.001": 1, "0.002": 1, "0.005": 3, "5.0": 3, "+Inf": 4}
        assert of(found, f"{name}_count", **labels) == 4
        assert of(found, f"{name}_sum", **labels) == pytest.approx(9.009)
        assert not [key for key in found if ("operator", "items") in key[1]]

    run(redis, test)


def test_counters_do_not_go_back_with_a_job_that_was_restored(redis: RedisProcess) -> None:
    earlier = msgspec.structs.replace(LANE, next_offset=7, read=7, applied=2)
    later = msgspec.structs.replace(LANE, next_offset=12, read=12, applied=7)

    async def test(numbers: JobMetrics) -> None:
        for lane, applied in ((LANE, 5), (earlier, 5), (later, 7)):
            write(redis, 0, lane)
            assert of(await scraped(numbers), "martlet_job_events_total", verdict="applied") == applied
        redis.client.flushall()
        assert of(await scraped(numbers), "martlet_job_events_total", verdict="applied") == 7

    run(redis, test)


def test_before_the_first_record_nothing_is_claimed(redis: RedisProcess) -> None:
    async def test(numbers: JobMetrics) -> None:
        assert await scraped(numbers) == {("martlet_job_readable", ()): 1}

    run(redis, test)


def test_a_redis_that_is_gone_stopped_or_holds_nonsense_fails_no_scrape(redis: RedisProcess) -> None:

    unreadable = {("martlet_job_readable", ()): 0.0}

    async def test(numbers: JobMetrics) -> None:
        write(redis, 0, LANE)
        assert of(await scraped(numbers), "martlet_job_readable") == 1
        redis.client.set(fresh_key("items", 0), b"nonsense")
        assert await scraped(numbers) == unreadable
        redis.client.delete(fresh_key("items", 0))
        redis.client.hset(lane_key(1), mapping={"g": "2", "n": "many"})
        assert await scraped(numbers) == unreadable
        redis.client.delete(lane_key(1))
        suspend(redis.process.pid)
        assert await scraped(numbers) == unreadable
        resume(redis.process.pid)
        assert of(await scraped(numbers), "martlet_job_readable") == 1
        redis.process.kill()
        redis.process.wait(5)
        assert await scraped(numbers) == unreadable

    run(redis, test)
