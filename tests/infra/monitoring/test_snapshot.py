"""Values derived from a snapshot."""

from typing import Any

import pytest

from features.keys import EVENTS, SERVED
from features.store.freshness import FreshnessHistogram
from infra.monitoring.json_report import flow_report
from infra.monitoring.snapshot import Checkpoints, Topic, freshness_between, latest_spanning
from tests.infra.monitoring.snapshots import CLOCK, NOW, changed, fresh, job, lane, series, snapshot_at, topic


def test_pending_is_what_the_log_has_beyond_the_lanes() -> None:
    assert snapshot_at().pending(EVENTS) == 0
    behind = snapshot_at(log={EVENTS: topic(9, 4, 2), SERVED: topic(5)})
    assert behind.pending_by_lane(EVENTS) == [3, 0, 2, 0, 0, 0, 0, 0]
    assert behind.pending(SERVED) == 5
    # A lane may be further than the log was a moment before; and what a shortened log has lost is not pending.
    assert snapshot_at(log={EVENTS: topic(5, 4)}).pending(EVENTS) == 0
    assert snapshot_at(log={EVENTS: Topic((0,) * 7 + (90,), (6, 4, 0, 0, 0, 0, 0, 100))}).pending(EVENTS) == 10


def test_what_a_service_did_not_answer_is_unknown_not_zero() -> None:
    blind = snapshot_at(log=None, lanes=None, fresh=None, job=None)
    assert blind.pending(EVENTS) is None
    assert blind.broker_lag_ms is None
    assert blind.watermark_ms is None
    assert blind.event_time_lag_ms is None
    assert blind.ledger() is None
    assert blind.checkpoint_age_ms is None
    assert blind.freshness("users") is None
    assert blind.imbalance() == {}
    assert snapshot_at(log={EVENTS: topic(6, 4)}).pending(SERVED) is None


def test_the_watermark_is_the_slowest_lanes_that_has_something_pending() -> None:
    early, newest = changed(lane(6), watermark_ms=100), changed(lane(4), watermark_ms=900)
    assert snapshot_at(lanes={0: early, 1: newest}).watermark_ms == 900  # the idle lane 0 does not hold it back
    pending = snapshot_at(lanes={0: early, 1: newest}, log={EVENTS: topic(7, 4)}, clock=1_000)
    assert pending.watermark_ms == 100
    assert pending.event_time_lag_ms == 900
    assert snapshot_at(lanes={}).watermark_ms is None
    assert snapshot_at(lanes={0: changed(lane(6), watermark_ms=0)}).watermark_ms is None  # all of it was rejected
    assert snapshot_at(lanes={0: changed(lane(6), watermark_ms=CLOCK + 5)}).event_time_lag_ms == 0


def test_the_brokers_lag_is_the_wait_of_the_oldest_pending_event() -> None:
    assert snapshot_at().broker_lag_ms == 0
    behind = {EVENTS: topic(9, 5)}
    assert snapshot_at(log=behind, waiting={0: NOW - 70, 1: NOW - 300}).broker_lag_ms == 300
    assert snapshot_at(log=behind).broker_lag_ms is None


def test_ledgers_add_up_over_lanes() -> None:
    lanes = {
        0: changed(lane(6), applied=3, duplicate=1, late=1, rejected=1, served_read=2, served_applied=2, served_next=2),
        1: changed(lane(4), applied=3, rerouted=1),
    }
    snapshot = snapshot_at(lanes=lanes, log={EVENTS: topic(6, 4), SERVED: topic(2)})
    assert snapshot.ledger() == {
        "read": 10,
        "applied": 6,
        "duplicate": 1,
        "late": 1,
        "rejected": 1,
        "rerouted": 1,
        "marks": 0,
    }
    assert snapshot.served_ledger() == {"read": 2, "applied": 2, "duplicate": 0, "late": 0, "rejected": 0}
    assert snapshot.imbalance() == {}


def test_an_imbalance_is_named_by_lane() -> None:
    def of(**more: int) -> dict[int, str]:
        return snapshot_at(lanes={0: lane(6), 1: changed(lane(4), **more)}).imbalance()

    assert of() == {}
    assert "do not add up" in of(applied=3)[1]
    assert of(read=3, applied=3) == {1: "3 read of events, which is at offset 4"}
    assert of(read=5, applied=5) == {1: "5 read of events, which is at offset 4"}
    assert "served" in of(served_read=1, served_applied=1)[1]
    # A log shortened to offset 3: the lane may have read what was there before, or have begun there.
    short = {EVENTS: Topic((0, 3, 0, 0, 0, 0, 0, 0), (6, 4, 0, 0, 0, 0, 0, 0))}
    for read, wrong in ((0, True), (1, False), (4, False), (5, True)):
        lanes = {1: changed(lane(4), read=read, applied=read)}
        assert bool(snapshot_at(lanes=lanes, log=short).imbalance()) == wrong
    # Without the log only what can't be is named.
    assert snapshot_at(lanes={1: changed(lane(4), read=3, applied=3)}, log=None).imbalance() == {}
    assert snapshot_at(lanes={1: changed(lane(4), read=5, applied=5)}, log=None).imbalance()


def test_a_window_counts_only_once_it_reaches_back_far_enough() -> None:
    short = series({}, {}, {})
    assert latest_spanning(short, 30_000) == []
    long = series(*[{}] * 12)
    assert latest_spanning(long, 30_000) == long[-7:]


def test_freshness_of_a_window_survives_what_writers_and_redis_do() -> None:
    slow = fresh(3, 4, 3_000)
    minute = freshness_between(series({}, {"fresh": slow}), "users")
    assert minute is not None
    assert (minute.count, minute.sum_ms, minute.quantile(1)) == (1, 3_000, 5_000)
    assert freshness_between(series({}, {"fresh": slow}), "items") == FreshnessHistogram()
    # Redis was empty, or away, in between: the writer is compared with what was known of it before.
    absences: tuple[dict[str, Any], ...] = ({"fresh": None}, {"fresh": {}})
    for between in absences:
        again = freshness_between(series({}, between, {"fresh": slow}), "users")
        assert again == minute
    assert freshness_between(series({}, {"fresh": None}), "users") is None
    # A writer seen for the first time has no past that could be told from its lifetime.
    assert freshness_between(series({"fresh": {}}, {"fresh": slow}), "users") == FreshnessHistogram()


def test_the_report_is_plain_json_and_links_flinks_page() -> None:
    import json

    report = json.loads(json.dumps(flow_report(snapshot_at(), "http://127.0.0.1:1")))
    assert report["ledger"]["read"] == 10
    assert report["lanes"]["1"]["n"] == 4
    assert report["freshness"]["users"]["count"] == 2
    assert report["job"]["page"] == "http://127.0.0.1:1/#/job/running/a/overview"
    assert report["job"]["checkpoint"]["age_ms"] == 4_000
    assert report["pending"] == {"events": 0, "served": 0}
    bare = flow_report(snapshot_at(job=job(checkpoints=Checkpoints())), "x")
    assert bare["job"]["checkpoint"]["age_ms"] is None
    assert flow_report(snapshot_at(log=None, lanes=None, fresh=None, job=None), "x")["job"] is None


@pytest.mark.parametrize("every", [1_003, 5_003, 7_000, 10_010])
def test_a_window_counts_however_often_is_looked(every: int) -> None:
    """The time between two looks is never quite the one that was set."""
    looks = series(*[{}] * 60, every=every)
    for ms in (20_000, 30_000):
        found = latest_spanning(looks, ms)
        assert looks[-len(found) :] == found
        assert ms <= found[-1].taken_at - found[0].taken_at < ms + every
