"""When items are written: soon after an event, later while the stream is behind, sooner where a lane has many."""

import pytest

from features.base.reader import Base
from features.keys import N, item_key
from features.types import CLICK, IMPRESSION, LIKE, Contribution
from streaming.operators.item_operator import BEHIND, IMPRESSIONS, LONGEST, PENDING_ROWS, SHORTEST, pause
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.offline.small_log import WALL
from tests.redis_process import RedisProcess
from tests.streaming.crashes import settings_of
from tests.streaming.deltas import deltas


@pytest.mark.parametrize(
    ("took", "behind", "expected"),
    [
        (0.0, 0.0, SHORTEST),
        (0.03, 0.0, 0.3),
        (5.0, 0.0, LONGEST),
        (5.0, 2.0, 2.0),
        (0.0, 0.5, SHORTEST),
        (0.0, 2.0, 0.2),
        (0.0, 3600.0, BEHIND),
        (5.0, 3600.0, BEHIND),
    ],
)
def test_pauses_grow_with_the_work_and_with_what_waits(took: float, behind: float, expected: float) -> None:
    assert pause(took, behind) == pytest.approx(expected)


def test_what_waited_in_its_lane_is_no_sign_of_a_stream_that_is_behind(
    small_base: Base, redis_server: RedisProcess
) -> None:
    redis_server.client.flushall()
    time_source = ManualTime(WALL)
    job = JobRun(settings_of(small_base.folder, redis_server.port), time_source, UnsteadyRedis(time_source))

    def feed(kind: int) -> None:
        now = time_source.wall_ms()
        for message in deltas([Contribution(5, now, kind, 0, 1)], [], now).items():
            job.feed_items(*message)

    def written() -> int:
        return int(redis_server.client.hget(item_key(5), N) or 0)

    feed(CLICK)
    job.advance(1.0)
    before = written()
    for _ in range(int(IMPRESSIONS) + 2):  # alone they are written late
        feed(IMPRESSION)
        job.advance(1.0)
    assert written() > before
    for _ in range(3):
        before = written()
        feed(CLICK)
        job.advance(2 * SHORTEST)
        assert written() > before
    job.close()


def test_a_lane_with_many_items_of_clicks_alone_is_flushed_before_its_time(
    small_base: Base, redis_server: RedisProcess
) -> None:
    redis_server.client.flushall()
    time_source = ManualTime(WALL)
    job = JobRun(settings_of(small_base.folder, redis_server.port), time_source, UnsteadyRedis(time_source))
    clicks = [Contribution(item_id, WALL, CLICK, 0, 1) for item_id in range(1, 2 * PENDING_ROWS)]
    for message in deltas(clicks[:100], [], WALL).items():  # the first of a lane are written at once
        job.feed_items(*message)
    for start in range(100, len(clicks), 100):
        for message in deltas(clicks[start : start + 100], [], WALL).items():
            job.feed_items(*message)
    assert len(redis_server.client.keys("i:*")) >= PENDING_ROWS
    job.close()


def test_a_lane_with_many_items_is_flushed_before_its_time(small_base: Base, redis_server: RedisProcess) -> None:
    redis_server.client.flushall()
    time_source = ManualTime(WALL)
    job = JobRun(settings_of(small_base.folder, redis_server.port), time_source, UnsteadyRedis(time_source))
    for item_id in range(1, PENDING_ROWS):  # each has its co-visits, and its partner: twice as many, at one moment
        added = Contribution(item_id, WALL, LIKE, 0, 1, 256, item_id, (1_000_000 + item_id,))
        for message in deltas([added], [], WALL).items():
            job.feed_items(*message)
    assert len(redis_server.client.keys("p:*")) >= PENDING_ROWS
    job.close()
