"""What an operator sees: the ledger against the log, alarms that come and go with real faults, both metrics pages."""

import json
from typing import Any

import httpx
import pytest

from benchmarks.faults.suspended import suspended
from features.keys import EVENTS
from features.store.job_status import VERDICTS
from infra.flink.client import FlinkClient
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.monitoring.alarms import NAMES
from infra.monitoring.flink_status import read_job
from tests.home import Martlet, until

pytestmark = pytest.mark.home


def report(martlet: Martlet) -> dict[str, Any]:
    said = martlet.command("status", "--json")
    assert said.returncode == 0, said.stdout + said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def alarms(martlet: Martlet) -> set[str]:
    return {alarm["name"] for alarm in martlet.status().get("alarms", ())}


def scrape(address: str) -> dict[str, float]:
    text = httpx.get(address, timeout=10, trust_env=False).text
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
    }


def settled(martlet: Martlet) -> dict[str, Any] | None:
    found = report(martlet)
    flow = found["flow"]
    is_read = flow["pending"]["events"] == 0 and flow["ledger"]["read"]
    return found if is_read and not flow["unreachable"] and flow["job"] else None


def writes_told_of(martlet: Martlet) -> int:
    """How many writes of users the last minute had, after one more."""
    assert martlet.post({"type": "view", "user_id": 910_501, "item_id": 1}).status_code == 202
    return int(report(martlet)["flow"]["freshness"]["users"]["count"])


def test_the_ledger_accounts_for_every_record_of_the_log(martlet: Martlet) -> None:
    user = 910_500
    rating = {"type": "rating", "user_id": user, "item_id": 1, "rating": 4, "event_id": "once"}
    for event in (rating, rating, {"type": "like", "user_id": user, "item_id": 2}):
        assert martlet.post(event).status_code == 202
    found = until(lambda: settled(martlet), 60, "all is read")
    flow, ledger = found["flow"], found["flow"]["ledger"]
    assert flow["unbalanced"] == {}
    assert ledger["read"] == sum(ledger[verdict] for verdict in VERDICTS)
    held = HomeRecord(Home(martlet.home)).base().offsets[EVENTS]  # not read: the base has it
    assert ledger["read"] == sum(lane["n"] - held[int(number)] for number, lane in flow["lanes"].items())
    assert ledger["duplicate"] >= 1
    assert flow["watermark_ms"] is not None
    assert flow["event_time_lag_ms"] is not None
    assert flow["broker_lag_ms"] == 0
    assert flow["job"]["state"] == "RUNNING"
    assert httpx.get(flow["job"]["page"].split("#")[0], timeout=10, trust_env=False).status_code == 200
    at_api, at_watch = found["pages"]["metrics"]
    api = until(
        lambda: (page := scrape(at_api)).get("martlet_job_readable") and page, 60, "the API reads the job's lanes"
    )
    watch = scrape(at_watch)
    assert sum(api[f'martlet_job_events_total{{verdict="{verdict}"}}'] for verdict in VERDICTS) == ledger["read"]
    assert api["martlet_job_readable"] == 1
    assert watch['martlet_pending_records{topic="events"}'] >= 0
    assert {name for name in NAMES if f'martlet_alarm{{name="{name}"}}' in watch} == set(NAMES)
    until(lambda: writes_told_of(martlet), 60, "writes are counted between two looks")


def completed(martlet: Martlet) -> dict[str, Any] | None:
    """The job as `status` has it, once it has a checkpoint; Flink may be late with its answer."""
    job: dict[str, Any] | None = report(martlet)["flow"]["job"]
    return job if job and job["checkpoint"] and job["checkpoint"]["completed"] else None


def test_flink_says_for_how_long_java_looks_for_memory(martlet: Martlet) -> None:
    job = read_job(FlinkClient(martlet.status()["flink"]), 10)
    assert job is not None
    assert job.collecting is not None
    assert 0 <= job.collecting <= 1


def test_a_checkpoint_is_told_with_its_age_and_size(martlet: Martlet) -> None:
    job = until(lambda: completed(martlet), 60, "a checkpoint")
    assert job["checkpoint"]["age_ms"] >= 0
    assert job["state_bytes"] > 0


@pytest.mark.parametrize(
    "service",
    ["kafka", pytest.param("redis", marks=pytest.mark.soak), pytest.param("jobmanager", marks=pytest.mark.soak)],
)
def test_a_service_that_hangs_is_an_alarm_until_it_answers_again(martlet: Martlet, service: str) -> None:
    if f"{service}-2" in martlet.status()["services"] and service != "redis":
        pytest.skip(f"another {service} takes its place")
    pid, name = martlet.status()["services"][service]["pid"], service.replace("jobmanager", "flink")
    until(lambda: f"{name}_unreachable" not in alarms(martlet), 60, "no alarm of before")
    with suspended(pid):
        until(lambda: f"{name}_unreachable" in alarms(martlet), 60, f"{name}_unreachable")
        told = report(martlet)["flow"]["unreachable"]  # and `status` answers all the same
        assert name in told
    until(lambda: f"{name}_unreachable" not in alarms(martlet), 60, "the alarm is over")


@pytest.mark.soak
def test_a_model_server_that_hangs_is_an_alarm_until_it_answers_again(martlet: Martlet) -> None:
    server = martlet.status()["services"]["model-server"]["pid"]
    with suspended(server):
        until(lambda: "model_server_unreachable" in alarms(martlet), 90, "model_server_unreachable")
        assert scrape(martlet.status()["watch"] + "/metrics")['martlet_reachable{service="model_server"}'] == 0
    until(lambda: "model_server_unreachable" not in alarms(martlet), 60, "the alarm is over")
    assert scrape(martlet.status()["watch"] + "/metrics")['martlet_reachable{service="api"}'] == 1


def test_status_in_words_names_what_an_operator_looks_for(martlet: Martlet) -> None:
    words = ("ledger: read", "pending: events", "watermark", "freshness of users", "alarm", "/#/job/running/")

    def are_there() -> bool:
        said = martlet.command("status")
        assert said.returncode == 0, said.stderr
        return all(word in said.stdout for word in words)

    until(are_there, 60, f"{words}: in one answer, for which nothing was late")
