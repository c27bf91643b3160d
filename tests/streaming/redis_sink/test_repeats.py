"""A running job writes again what a Redis lost that took the place of another, or says that it can't; what is written again is
measured where it was lost alone."""

import pytest

from features.keys import item_key, seen_key, user_key
from features.store.freshness import FreshnessHistogram
from features.store.job_status import fresh_key
from features.types import LIKE
from streaming.redis_sink.lane_keys import RETAINED_KEYS, RETAINED_MS, LaneKeys
from streaming.redis_sink.redis_writer import REPORT_EVERY
from streaming.testing.manual_time import ManualTime
from tests.offline.small_log import WALL
from tests.streaming.bench import OTHER, USER, Bench
from tests.streaming.lossy_redis import LossyRedis


@pytest.fixture
def lossy(bench: Bench) -> LossyRedis:
    bench.feed(bench.event("before", LIKE, item=9))
    bench.job.touch_all()  # every subtask has lanes, and looks for requests
    bench.job.advance(60.0)
    return LossyRedis(bench.job.settings.redis, bench.time)


def lose(bench: Bench, lossy: LossyRedis) -> int:
    """Have a like of item 5 acknowledged, and lost a second later; returns how many contributions the item had."""
    lossy.remember()
    bench.feed(bench.event("lost", LIKE))
    bench.job.advance(1.0)
    assert bench.client.sismember(seen_key(USER), 5)
    had = bench.contributions(5)
    lossy.go_back()
    assert not bench.client.sismember(seen_key(USER), 5)
    assert bench.contributions(5) < had
    return had


def test_what_was_lost_is_written_again_while_the_job_runs(bench: Bench, lossy: LossyRedis) -> None:
    had = lose(bench, lossy)
    began = bench.time.monotonic()
    assert lossy.is_written_again(bench.job)
    assert bench.time.monotonic() - began <= 3
    assert bench.client.smembers(seen_key(USER)) >= {b"5", b"9"}
    assert (bench.offset(), bench.contributions(5), bench.lane().applied) == (b"2", had, 2)


def test_what_came_between_the_loss_and_the_request_does_not_hide_it(bench: Bench, lossy: LossyRedis) -> None:
    """The write after the loss is newer, and says only what has changed since the lost one."""
    lose(bench, lossy)
    bench.feed(bench.event("next", LIKE, item=11))
    bench.job.advance(1.0)
    assert bench.client.smembers(seen_key(USER)) >= {b"9", b"11"}
    assert not bench.client.sismember(seen_key(USER), 5)
    assert lossy.is_written_again(bench.job)
    assert bench.client.smembers(seen_key(USER)) >= {b"5", b"9", b"11"}


def test_writes_that_wait_for_redis_are_awaited(bench: Bench, lossy: LossyRedis) -> None:
    lose(bench, lossy)
    bench.server.away(4.0)
    began = bench.time.monotonic()
    assert lossy.is_written_again(bench.job)
    assert bench.time.monotonic() - began >= 4
    assert bench.client.sismember(seen_key(USER), 5)


def test_a_job_that_started_after_the_loss_began_can_not(bench: Bench, lossy: LossyRedis) -> None:
    lossy.remember()
    bench.feed(bench.event("lost", LIKE))
    bench.job.checkpoint()
    bench.job.advance(1.0)
    bench.job.crash()
    bench.job.touch_all()
    bench.job.advance(1.0)
    lossy.go_back()
    assert not lossy.is_written_again(bench.job)


def test_what_was_lost_longer_ago_than_a_lane_remembers_it_can_not(bench: Bench, lossy: LossyRedis) -> None:
    lose(bench, lossy)
    for number in range(3):
        bench.job.advance(RETAINED_MS / 1000)
        bench.feed(bench.event(f"later {number}", LIKE, item=OTHER))
    assert not lossy.is_written_again(bench.job)


def test_the_numbers_of_a_lane_are_written_again_where_no_user_is(bench: Bench, lossy: LossyRedis) -> None:
    lossy.remember()
    bench.feed(bench.shown("a list"))
    bench.job.advance(1.0)
    assert bench.lane().served_read == 1
    lossy.go_back()
    assert bench.lane().served_read == 0
    assert lossy.is_written_again(bench.job)
    assert bench.lane().served_read == 1


def test_a_job_from_before_the_loss_makes_up_for_it_whatever_came_between(bench: Bench, lossy: LossyRedis) -> None:
    """The job of before has written a newer state, which hides from the one that lacks the lost one what it is to hide; so users
    of all batches with a record of that time are written whole, those too that have newer ones."""
    lost, between = bench.event("lost", LIKE), bench.event("between", LIKE, item=11, broker_ts=WALL + 500)
    later = bench.event("later", LIKE, item=13, broker_ts=WALL + 9000)
    bench.job.checkpoint()
    lossy.remember()
    bench.feed(lost)
    bench.job.advance(1.0)
    lossy.go_back()
    bench.feed(between)
    bench.job.advance(1.0)
    bench.job.go_back(bench.job.newest_checkpoint, whole_until=WALL + 500)
    bench.feed(lost)
    bench.feed(between, later)
    bench.job.advance(1.0)
    assert bench.client.smembers(seen_key(USER)) >= {b"5", b"9", b"11", b"13"}


def test_a_request_is_carried_out_once(bench: Bench, lossy: LossyRedis) -> None:
    lose(bench, lossy)
    assert lossy.is_written_again(bench.job)
    bench.client.delete(user_key(USER), item_key(5))
    bench.job.advance(5.0)
    assert bench.client.exists(user_key(USER), item_key(5)) == 0


class Acknowledging:
    """A writer whose writes are acknowledged, but for those named."""

    def __init__(self, *unsent: str) -> None:
        self._unsent = set(unsent)

    def unsent(self, keys: set[str]) -> set[str]:
        return keys & self._unsent


def test_a_lane_remembers_so_many_keys_and_says_what_it_has_forgotten() -> None:
    time_source = ManualTime(WALL)
    lane = LaneKeys(["first"], time_source)
    for number in range(RETAINED_KEYS + 2):
        time_source.advance(0.001)
        lane.put(Acknowledging("k3"), [f"k{number}"])
    assert lane.unsent == {"k3", f"k{RETAINED_KEYS + 1}"}
    assert lane.written_since(WALL + RETAINED_KEYS) == {"k3", *(f"k{RETAINED_KEYS + 1 - back}" for back in range(4))}
    assert len(lane.written_since(WALL + 2) or ()) == RETAINED_KEYS + 2
    assert lane.written_since(WALL + 1) is None, "the first was acknowledged then"


def test_a_lane_forgets_what_was_long_ago() -> None:
    time_source = ManualTime(WALL)
    lane = LaneKeys(["a"], time_source)
    lane.put(Acknowledging(), ["b"])
    time_source.advance(RETAINED_MS / 1000 + 1)
    lane.put(Acknowledging(), [])
    assert lane.written_since(WALL) is None
    assert lane.written_since(WALL + 1) == {"b"}


def measured(bench: Bench) -> list[int]:
    """How many writes of users and of items are in what their writers have reported last."""
    found = [bench.client.get(fresh_key(operator, 0)) for operator in ("users", "items")]
    return [0 if each is None else FreshnessHistogram.from_json(each).count for each in found]


def test_what_a_restart_writes_again_is_not_measured_again(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE), bench.event("b", LIKE, item=OTHER))
    bench.job.checkpoint()
    bench.job.advance(5 * REPORT_EVERY)
    assert measured(bench) == [1, 4], "a user, two items, and what each has been seen with"
    bench.client.delete(fresh_key("users", 0), fresh_key("items", 0))
    bench.job.crash()
    bench.job.touch_all()
    bench.job.advance(5 * REPORT_EVERY)
    assert measured(bench) == [0, 0]
    bench.feed(bench.event("c", LIKE))
    bench.job.advance(5 * REPORT_EVERY)
    assert min(measured(bench)) == 1


def test_what_redis_lacked_at_a_restart_is_measured(bench: Bench) -> None:
    bench.server.away(3600.0)
    bench.feed(bench.event("a", LIKE))
    bench.job.checkpoint()
    bench.server.away(0.0)
    bench.job.crash()
    bench.job.touch_all()
    bench.job.advance(5 * REPORT_EVERY)
    assert measured(bench) == [1, 1]
