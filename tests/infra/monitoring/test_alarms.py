"""Alarms, from snapshots of what may happen; each test says when it must come and when it must not."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from features.keys import EVENTS, SERVED
from features.units import DAY_MS
from infra.monitoring.alarms import CHECKPOINT_MS, NAMES, evaluate
from infra.monitoring.host import Host
from infra.monitoring.snapshot import Checkpoints
from infra.system.repository import REPO
from tests.infra.monitoring.snapshots import NOW, changed, fresh, job, lane, series, snapshot_at, topic

Change = dict[str, Any]


def names(*changes: Change, every: int = 5_000) -> set[str]:
    return {alarm.name for alarm in evaluate(series(*changes, every=every))}


def minute(change: Change) -> list[Change]:
    """The same for a minute."""
    return [change] * 13


def test_nothing_is_wrong_with_a_home_at_rest_nor_at_the_first_look() -> None:
    assert names({}) == set()
    assert names(*minute({})) == set()
    assert names({"lanes": {}, "log": {EVENTS: topic(), SERVED: topic()}, "fresh": {}}) == set()


def test_every_alarm_says_what_it_found_and_what_to_do() -> None:
    (alarm,) = evaluate([snapshot_at(failures={"redis": "Connection refused"}, lanes=None, fresh=None)])
    assert alarm.name == "redis_unreachable"
    found, advice = alarm.text.split("; ", 1)
    assert found == "Connection refused"
    assert "logs/redis.log" in advice


@pytest.mark.parametrize("service", ["kafka", "redis", "flink"])
def test_a_service_that_does_not_answer_is_named_and_nothing_else_is_guessed(service: str) -> None:
    unknown: dict[str, Change] = {
        "kafka": {"log": None},
        "redis": {"lanes": None, "fresh": None},
        "flink": {"job": None},
    }
    unreachable = {"failures": {service: "no answer within 2 s"}, **unknown[service]}
    assert names(*minute({}), unreachable) == {f"{service}_unreachable"}
    assert names(*minute(unreachable)) == {f"{service}_unreachable"}


def test_what_is_not_made_anew_any_more_is_named() -> None:
    learning = {"not_anew": {"given_up": 2, "why": "Spark failed"}}
    (alarm,) = evaluate(series({}, {"learning": learning}))
    assert alarm.text.startswith("given up in a row: 2, the last time because Spark failed; ")
    assert names({"learning": learning}, {"learning": {"not_anew": None}}) == set()


@pytest.mark.parametrize("server", ["api", "model_server"])
def test_a_server_that_is_silent_for_longer_than_a_restart_takes_is_named(server: str) -> None:
    silent: Change = {"failures": {server: "no answer within 2 s"}}
    assert names(*minute({}), *[silent] * 6) == set()
    assert names(*minute({}), *[silent] * 7) == {f"{server}_unreachable"}
    assert names(*minute(silent), {}) == set()


def test_a_job_that_flink_does_not_have_or_has_given_up_is_not_running() -> None:
    assert names({"job": None}) == {"job_not_running"}
    for state in ("FAILED", "CANCELED", "FINISHED"):
        assert names({"job": job(state=state, tasks_running=0)}) == {"job_not_running"}


def test_a_job_may_take_its_time_to_start_but_not_for_ever() -> None:
    starting = {"job": job(state="RUNNING", tasks_running=1)}
    assert "job_not_running" not in names({}, {}, starting)
    assert "job_not_running" not in names(starting)
    assert "job_not_running" in names(*[starting] * 7)
    assert "job_not_running" not in names(*[starting] * 6, {})
    away = {"job": None, "failures": {"flink": "refused"}}
    assert "job_not_running" not in names(*[away] * 6, starting)  # it has just come back


def test_a_restart_is_told_for_a_minute() -> None:
    assert names({"job": job(state="RESTARTING", tasks_running=0)}) == {"job_restarting"}
    for at in (NOW - 3_000, NOW - 3_600_000, NOW + 3_600_000):  # the clock of Flink's machine may differ
        restarted = {"job": job(restarted_at=at)}
        assert names({}, restarted) == {"job_restarting"}
        assert names({}, restarted, restarted) == {"job_restarting"}  # not at one look alone
        assert names({}, *minute(restarted)) == set()
        assert names({"job": job(restarted_at=NOW - 30_000)}, restarted) == {"job_restarting"}
    assert names({}, {"job": job(id="b")}) == {"job_restarting"}
    assert names({"job": job(restarted_at=NOW - 60_000, restarts=7)}) == set()  # before the watch came


def test_state_that_outgrows_memory_is_told_of_before_the_job_is_restarted_for_it() -> None:
    busy, thrashing = {"job": job(collecting=0.4)}, {"job": job(collecting=0.6)}
    assert names(*[thrashing] * 4) == set(), "a full collection may take seconds"
    assert names(*[thrashing] * 5) == {"state_outgrows_memory"}
    assert names(*[thrashing] * 4, busy, *[thrashing] * 3) == set()
    assert names(*minute({"job": job(collecting=None)})) == set(), "a Flink that does not say"
    assert names(*[thrashing] * 8, {"job": None, "failures": {"flink": "refused"}}) == {"flink_unreachable"}


def checkpoints(**more: Any) -> Change:
    return {"job": job(checkpoints=Checkpoints(**more))}


def test_checkpoints_that_fail_in_a_row_are_overdue_at_once_with_their_reason() -> None:
    failing = checkpoints(failed=2, failed_in_a_row=2, failure="No space left on device", completed_at=NOW - 11_000)
    (alarm,) = evaluate(series({}, failing))
    assert alarm.name == "checkpoint_overdue"
    assert "No space left on device" in alarm.text
    assert names({}, checkpoints(failed=1, failed_in_a_row=1, completed_at=NOW - 9_000)) == set()


def test_a_missing_checkpoint_is_overdue_only_if_there_is_something_to_keep() -> None:
    old = checkpoints(completed=1, completed_at=NOW - CHECKPOINT_MS - 1000)
    assert names(*minute(old)) == set()  # nothing was read since
    before = {"log": {EVENTS: topic(5, 4)}, "lanes": {0: lane(5), 1: lane(4)}}
    assert names(old | before, old) == {"checkpoint_overdue"}
    pending = {"log": {EVENTS: topic(9, 4)}}
    assert names(old | pending) == {"checkpoint_overdue"}
    unknown = {"lanes": None, "fresh": None, "failures": {"redis": "x"}}
    assert "checkpoint_overdue" in names(old | unknown)
    young = {"job": job(started_at=NOW - 20_000, checkpoints=Checkpoints())}
    assert names(young | pending) == set()
    never = {"job": job(checkpoints=Checkpoints())}
    assert names(never | pending) == {"checkpoint_overdue"}
    restarting = {"job": job(state="RESTARTING", checkpoints=Checkpoints())}
    assert "checkpoint_overdue" not in names(restarting | pending)


def behind(read: int, end: int) -> Change:
    return {"log": {EVENTS: topic(end), SERVED: topic()}, "lanes": {0: lane(read)}}


def test_pending_grows_when_the_job_is_slower_than_its_input() -> None:
    slow = [behind(read, 3 * read + 100) for read in range(0, 1400, 200)]
    assert names(*slow) == {"pending_growing"}
    assert names(*slow[:4]) == set()  # a burst of fifteen seconds
    assert names(*slow[:-1], behind(1200, 1200)) == set()
    assert names(*slow[:-1], behind(2000, 2600)) == set()  # it is catching up
    few = [behind(read, read + 1 + read // 10) for read in range(0, 70, 10)]
    assert names(*few) == set()  # a handful on their way is no trouble


def test_a_single_record_that_is_never_read_is_enough() -> None:
    assert names(*[behind(10, 11)] * 7) == {"pending_growing"}
    assert names(*[behind(10, 11)] * 4) == set()
    served = {"log": {EVENTS: topic(6, 4), SERVED: topic(3)}}
    (alarm,) = evaluate(series(*[served] * 7))
    assert "3 records of served" in alarm.text
    missing = {"lanes": {}, "log": {EVENTS: topic(6), SERVED: topic()}}
    assert names(*[missing] * 7) == {"pending_growing"}  # Redis was emptied: no lane tells of anything


def test_a_ledger_that_does_not_add_up_is_told_with_its_lane() -> None:
    (alarm,) = evaluate([snapshot_at(lanes={0: lane(6), 1: changed(lane(4), applied=3)})])
    assert alarm.name == "ledger_unbalanced"
    assert alarm.text.startswith("lane 1: ")
    assert names({"lanes": {0: lane(6), 1: changed(lane(4), read=3, applied=3)}}) == {"ledger_unbalanced"}
    # After a crash the lanes go back to a checkpoint: less was read, and it adds up.
    assert names({}, {"lanes": {0: lane(2), 1: lane(4)}}) == set()


def test_lists_closed_early_are_told_with_their_number() -> None:
    before = {"lanes": {0: changed(lane(6), closed_early=3), 1: lane(4)}}
    after = {"lanes": {0: changed(lane(6), closed_early=67), 1: changed(lane(4), closed_early=64)}}
    (alarm,) = evaluate(series(before, after))
    assert alarm.name == "lists_closed_early"
    assert alarm.text.startswith("128 shown lists were closed within the last minute before their time was over; ")
    assert names(after, after) == set()  # longer ago
    assert names(after) == set()
    assert names(after, before) == set()  # a crash took the job back


def test_records_of_items_that_are_gone_are_told_until_all_is_folded_anew() -> None:
    after = {"lanes": {0: changed(lane(6), items_lost=3), 1: changed(lane(4), items_lost=2)}}
    (alarm,) = evaluate(series(after, after))
    assert alarm.name == "items_lost"
    assert alarm.text.startswith("3 records of the topic items are gone that events were folded with; ")
    assert names(after, {"lanes": {0: lane(6), 1: lane(4)}}) == set()


def test_features_are_stale_when_the_last_minute_was_slow() -> None:
    many = [3] * 1_000
    assert names({"fresh": fresh(*many)}, {"fresh": fresh(*many, *[5] * 200, *[1_500] * 10)}) == {"features_stale"}
    assert names({"fresh": fresh(*many)}, {"fresh": fresh(*many, *[5] * 2_000, *[1_500] * 10)}) == set()
    # A few writes have no 99th percentile: one slow one is an accident, most of them are not.
    assert names({}, {"fresh": fresh(3, 4, *[5] * 20, 1_500)}) == set()
    assert names({}, {"fresh": fresh(3, 4, 5, *[1_500] * 3)}) == {"features_stale"}
    # Slow before the minute began, or before the writer started again.
    assert names(*minute({"fresh": fresh(*[4_000] * 500)})) == set()
    assert names({"fresh": fresh(*[4_000] * 500)}, {"fresh": fresh(3)}) == set()


def test_snapshots_of_more_than_a_minute_ago_and_of_a_clock_set_back_do_not_count() -> None:
    old = snapshot_at(NOW - 61_000, job=job(id="before"))
    future = snapshot_at(NOW + 3_600_000, job=job(id="before"))
    assert evaluate([old, future, snapshot_at()]) == []


def test_each_alarm_is_in_the_manual_and_in_prometheus_rules() -> None:
    manual = (REPO / "docs" / "operating.md").read_text().split("\n## Alarms\n")[1].split("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", manual, re.MULTILINE)) == NAMES
    rules = yaml.safe_load(Path(REPO / "infra" / "dashboards" / "alerts.yml").read_text())
    of_watch = [rule for group in rules["groups"] for rule in group["rules"] if "martlet_alarm{" in rule["expr"]]
    assert tuple(rule["alert"] for rule in of_watch) == NAMES
    for rule in of_watch:
        assert rule["expr"] == f'martlet_alarm{{name="{rule["alert"]}"}} == 1'
        assert rule["annotations"]["summary"]


@pytest.mark.parametrize(
    ("free", "size", "full"),
    [(20, 400, False), (9, 400, True), (3, 40, False), (1, 40, True), (None, None, False), (0, 40, True)],
)
def test_a_disk_is_nearly_full_below_a_twentieth_and_below_ten_gib(
    free: int | None, size: int | None, full: bool
) -> None:
    host = Host(free if free is None else free << 30, size if size is None else size << 30)
    assert names({"host": host}) == ({"disk_nearly_full"} if full else set())


@pytest.mark.parametrize(
    ("days", "found"),
    [(15, None), (13.5, "runs out in 13 days"), (0.5, "runs out in 0 days"), (-1, "has run out")],
)
def test_a_certificate_that_ends_is_told_two_weeks_before(days: float, found: str | None) -> None:
    alarms = evaluate([snapshot_at(host=Host(certificate_ends=int(NOW + days * DAY_MS)))])
    assert [alarm.name for alarm in alarms] == ([] if found is None else ["certificate_runs_out"])
    assert all(str(found) in alarm.text for alarm in alarms)
