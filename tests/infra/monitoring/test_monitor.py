"""The monitor: what it notes, prints and exports to Prometheus, given a test's snapshots."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from infra.monitoring.http_endpoint import MonitorPage
from infra.monitoring.monitor import EVERY, Monitor
from infra.monitoring.snapshot import Snapshot
from infra.monitoring.status_view import print_report
from infra.system.processes import free_ports
from tests.home import until
from tests.infra.monitoring.snapshots import NOW, fresh, job, series, snapshot_at


class Dealt:
    """Takes a Collector's part with given snapshots; the last is repeated."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self._snapshots = list(snapshots)
        self.closed = False

    def take_snapshot(self) -> Snapshot:
        return self._snapshots.pop(0) if len(self._snapshots) > 1 else self._snapshots[0]

    def close(self) -> None:
        self.closed = True


class Desk:
    """What was noted and said."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.lines: list[str] = []

    def note(self, **facts: object) -> None:
        self.facts |= facts


@pytest.fixture
def desk() -> Desk:
    return Desk()


def monitor_of(snapshots: Any, desk: Desk, port: int = 0, every: float = EVERY, **more: Any) -> Monitor:
    return Monitor(snapshots, port, desk.note, desk.lines.append, every, **more)


def scrape(port: int, path: str = "/metrics", status: int = 200) -> str:
    answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5, trust_env=False)
    assert answer.status_code == status
    return answer.text


def away(at: int) -> Snapshot:
    return snapshot_at(at, lanes=None, fresh=None, failures={"redis": "Connection refused"})


def test_an_alarm_is_said_when_it_comes_and_when_it_goes_and_noted_in_between(desk: Desk) -> None:
    monitor = monitor_of(
        Dealt(snapshot_at(NOW), away(NOW + 5_000), away(NOW + 10_000), snapshot_at(NOW + 15_000)), desk
    )
    monitor.poll()
    assert (desk.facts["alarms"], desk.lines) == ([], [])
    for _ in range(2):
        monitor.poll()
        (noted,) = desk.facts["alarms"]
        assert (noted["name"], noted["since"]) == ("redis_unreachable", NOW + 5_000)
        assert len(desk.lines) == 1
    assert "alarm redis_unreachable: Connection refused" in desk.lines[0]
    assert desk.facts["alarms_at"] == NOW + 10_000
    monitor.poll()
    assert desk.facts["alarms"] == []
    assert desk.lines[1].endswith("alarm over: redis_unreachable, after 10 s")


def test_the_last_minutes_freshness_is_noted(desk: Desk) -> None:
    monitor = monitor_of(Dealt(snapshot_at(NOW), snapshot_at(NOW + 5_000, fresh=fresh(3, 4, *[40] * 10))), desk)
    monitor.poll()
    monitor.poll()
    assert desk.facts["fresh_last_minute"]["users"]["count"] == 10
    assert 20 <= desk.facts["fresh_last_minute"]["users"]["p50_ms"] <= 50


def test_alarms_of_half_a_minute_come_however_often_the_watch_looks(desk: Desk) -> None:
    waiting = [job(tasks_running=2)] * 61
    monitor = monitor_of(Dealt(*series(*({"job": each} for each in waiting), every=500)), desk, every=0.5)
    for _ in waiting:
        monitor.poll()
    assert [alarm["name"] for alarm in desk.facts["alarms"]] == ["job_not_running"]


@pytest.fixture
def running(desk: Desk) -> Iterator[tuple[Monitor, int, Dealt]]:
    port = free_ports(1)[0]
    dealt = Dealt(away(NOW))
    monitor = monitor_of(dealt, desk, port, 0.05)
    monitor.start()
    yield monitor, port, dealt
    monitor.stop()
    assert dealt.closed


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::", "::1"])
def test_metrics_are_served_at_an_address_of_ipv6(host: str) -> None:
    port = free_ports(1)[0]
    page = MonitorPage(port, CollectorRegistry(), dict, host)
    try:
        assert httpx.get(f"http://[::1]:{port}/metrics", timeout=5, trust_env=False).status_code == 200
    finally:
        page.close()


def test_the_monitor_itself_serves_prometheus(running: tuple[Monitor, int, Dealt], desk: Desk) -> None:
    _, port, _ = running
    until(lambda: desk.facts)
    text = scrape(port)
    for line in (
        'martlet_alarm{name="redis_unreachable"} 1.0',
        'martlet_alarm{name="kafka_unreachable"} 0.0',
        'martlet_reachable{service="redis"} 0.0',
        "martlet_checkpoint_age_seconds 4.0",
        "martlet_state_bytes 1000.0",
        "martlet_job_running 1.0",
    ):
        assert line in text.splitlines()
    assert "martlet_pending_records{" not in text  # nobody knows: not 0


def test_the_newest_snapshot_is_reported_completely(running: tuple[Monitor, int, Dealt], desk: Desk) -> None:
    _, port, _ = running
    report = until(lambda: json.loads(scrape(port, "/sight")))
    assert report["unreachable"] == {"redis": "Connection refused"}
    assert [alarm["name"] for alarm in report["alarms"]] == ["redis_unreachable"]
    assert report["job"]["checkpoint"]["age_ms"] == 4_000
    assert report["history"][-1] == {"at": report["asked_at"], "read": None, "pending": None}
    assert "/metrics and /sight" in scrape(port, "/other", 404)


def test_what_a_start_prepares_and_what_of_it_failed_is_reported(desk: Desk) -> None:
    port, steps = free_ports(1)[0], {"preparing": [], "failed_steps": ["training data"]}
    monitor = monitor_of(Dealt(snapshot_at(NOW)), desk, port, 0.05, steps=lambda: steps)
    monitor.start()
    try:
        report = until(lambda: json.loads(scrape(port, "/sight")))
        assert steps.items() <= report.items()
    finally:
        monitor.stop()


def test_a_watch_that_stumbles_says_so_and_goes_on(desk: Desk) -> None:
    class Stumbling(Dealt):
        def take_snapshot(self) -> Snapshot:
            snapshot = super().take_snapshot()
            if snapshot.clock == 0:
                raise KeyError("a shape nobody foresaw")
            return snapshot

    monitor = monitor_of(Stumbling(snapshot_at(NOW, clock=0), snapshot_at(NOW + 5_000)), desk, free_ports(1)[0], 0.05)
    monitor.start()
    try:
        until(lambda: desk.facts)
    finally:
        monitor.stop()
    assert "could not look: KeyError" in desk.lines[0]


READY = {"ready": True, "dependencies": {}, "models": [], "error": None}


def report(snapshot: Snapshot, **more: Any) -> dict[str, Any]:
    from infra.monitoring.json_report import flow_report

    known: dict[str, Any] = {
        "home": "/h", "dataset": "ml-100k", "history": 0.8, "state": "up", "supervised": True, "memory_mib": 1,
        "services": {}, "attached": {"Redis": "redis://cache:6379"},
        "troubles": [], "preparing": [], "failed_steps": [], "learning": None, "job_from": "the base",
        "job_submitted_again": None, "job_wrote_again": None, "worker_spoiled": None, "spare": "warm",
        "job_trouble": None, "checkpoint_refused": None,
        "pages": {"user": "u", "openapi": "o", "flink": "f", "metrics": ["m"]},
        "alarms": {"held": [], "age_ms": 100},
        "flow": flow_report(snapshot, "http://127.0.0.1:1") | {"freshness_last_minute": None},
        "api": {"ready": True, "refused": [], "error": None, "processes": {"api": READY}},
    }  # fmt: skip
    return known | more


def printed(what: dict[str, Any]) -> str:
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    print_report(Console(file=out, soft_wrap=True, width=200), what)
    return out.getvalue()


def test_status_prints_what_is_still_being_prepared() -> None:
    pending = [{"name": "training data", "since": 1_700_000_000_000}, {"name": "models", "since": None}]
    assert "still being prepared: training data since 2023-11-14 22:13:20 UTC, then models" in printed(
        report(snapshot_at(), preparing=pending)
    )
    assert "prepared" not in printed(report(snapshot_at()))
    assert "not prepared: training data, models: the next `up`" in printed(
        report(snapshot_at(), failed_steps=["training data", "models"])
    )


def test_status_prints_the_flow_in_words() -> None:
    text = printed(report(snapshot_at()))
    for words in (
        "ledger: read 10 = applied 10 + duplicate 0 + late 0 + rejected 0 + rerouted 0",
        "pending: events 0, served 0",
        "event-time lag 1.0 s",
        "freshness of users: since the writers started p50",
        "last checkpoint 4.0 s ago, took 40 ms, state 1 KiB; 3 completed, 0 failed",
        "http://127.0.0.1:1/#/job/running/a/overview",
        "alarms: none",
    ):
        assert words in text
    assert "unbalanced" not in text
    assert "p50 over 5.0 s" in printed(report(snapshot_at(fresh=fresh(9_000))))


def test_status_prints_what_is_wrong_and_never_fails_over_what_is_missing() -> None:
    from tests.infra.monitoring.snapshots import lane

    blind = snapshot_at(log=None, lanes=None, fresh=None, job=None, failures={"flink": "refused", "redis": "[away]"})
    text = printed(report(blind, alarms={"held": [], "age_ms": None}))
    for words in (
        "flink does not answer: refused",
        "redis does not answer: [away]",
        "nobody watches",
        "watermark unknown",
    ):
        assert words in text
    assert "nothing is pending" not in text
    uneven = printed(report(snapshot_at(lanes={0: lane(6, applied=5)})))
    assert "lane 0 is unbalanced" in uneven
    held = {"held": [{"name": "redis_unreachable", "since": NOW, "text": "gone"}], "age_ms": 5}
    assert "alarm redis_unreachable since 2023-11-14" in printed(report(snapshot_at(), alarms=held))


def test_status_names_what_keeps_the_job_from_being_seen_to_and_a_checkpoint_that_was_refused() -> None:
    text = printed(report(snapshot_at(), job_trouble="no client", checkpoint_refused="chk-7: it does not load"))
    assert "the job can't be seen to: no client" in text
    assert "a checkpoint was refused: chk-7: it does not load" in text


def test_status_says_where_it_may_not_know_which_versions_are_refused() -> None:
    api = {"ready": True, "refused": None, "error": None, "processes": {"api": READY}}
    assert "refused: not known, the API wants a key" in printed(report(snapshot_at(), api=api))
    assert "not known, the API" not in printed(report(snapshot_at()))
