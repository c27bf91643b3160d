"""Faults in what runs: TaskManagers, the JobManager, checkpoints, Kafka, Redis (rows 6 to 9)."""

import os
import signal
import time
from collections import Counter
from contextlib import suppress

import pytest

from benchmarks.faults.suspended import resume, suspend, suspended
from features.keys import EVENTS
from infra.flink.client import FlinkClient
from infra.home.paths import write_json
from infra.monitoring.alarms import FAILED_IN_A_ROW
from infra.monitoring.flink_status import read_job
from infra.services.redis_instance import MAY_LOSE, NOTE_EVERY
from infra.system.processes import ProcessId
from streaming.redis_sink.redis_writer import BUFFER_KEYS
from tests.faults.conftest import (
    Traffic,
    act_as_many,
    alive,
    attempt,
    await_job,
    cancel_job,
    click,
    event_ids_since,
    fail_a_checkpoint,
    flink,
    free_slots,
    job_runs,
    job_state,
    new_checkpoint,
    newest_failure,
    pid_of,
    working,
)
from tests.home import WATCHFUL, Martlet, answer_of, checkpoints, run_martlet, until
from tests.ledger import ends_of, ledger, verify

pytestmark = pytest.mark.broken


def kill(martlet: Martlet, service: str) -> None:
    """Kill a service; it is gone on return, or another has its place."""
    pid = pid_of(martlet, service)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid) or pid_of(martlet, service) != pid, 60, f"{service} is dead")


def exact_after(martlet: Martlet, traffic: Traffic, before: dict[str, int]) -> None:
    """Nothing lost, nothing twice: what the broker acknowledged is what was applied."""
    after = verify(martlet)
    assert after["applied"] - before["applied"] == traffic.acknowledged
    assert after["duplicate"] == before["duplicate"]


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.soak)])
def test_a_taskmanager_killed_again_and_again_loses_nothing(broken: Martlet, times: int) -> None:
    """Row 6. All that work are killed at once in test_samples.py."""
    before = ledger(broken)
    deaths: Counter[str] = Counter()
    with Traffic(broken) as traffic:
        until(lambda: broken.status().get("spare") == "warm", 300, "the spare TaskManager is warm")
        for _ in range(times):
            new_checkpoint(broken)
            until(lambda: 1 in free_slots(broken).values(), 60, "a TaskManager is free")
            busy = until(lambda: working(broken), 30, "tasks run")
            victim = min(busy, key=lambda name: deaths[name])  # each in turn
            deaths[victim] += 1
            known = attempt(broken)
            kill(broken, victim)
            until(lambda: attempt(broken) != known, 60, "Flink notices")  # noqa: B023
            await_job(broken)
            until(lambda: victim not in working(broken), 30, "the spare one has its tasks")  # noqa: B023
            job = answer_of(lambda: read_job(FlinkClient(flink(broken)), 10), "Flink")
            assert job is not None
            assert (job.id, job.restarted_at) == attempt(broken)  # what the alarm goes by
    assert sum(deaths.values()) == times
    assert times == 1 or len(deaths) > 1
    exact_after(broken, traffic, before)


def test_all_of_up_killed_goes_on_from_a_checkpoint(broken: Martlet) -> None:
    """Row 6: the supervisor and all that it started but for the API, which is left over: the next `up` stops it."""
    before = ledger(broken)
    with Traffic(broken) as traffic:
        time.sleep(1)
        metadata = new_checkpoint(broken)
        # Redis dies with the others: what counts is a checkpoint from before the seconds that it may lose.
        may_lose = MAY_LOSE + NOTE_EVERY + 1
        until(lambda: time.time() - metadata.stat().st_mtime > may_lose, 30, "the checkpoint is old enough")
    status = broken.status()
    services = {name: ProcessId.from_json(entry) for name, entry in status["services"].items()}
    left = services.pop("api")
    for pid in (status["supervisor"]["pid"], *(each.pid for each in services.values())):
        with suppress(ProcessLookupError):  # some end at once without their supervisor
            os.kill(pid, signal.SIGKILL)
    assert left.process() is not None
    # The faults from here on take no standby TaskManager: none is warmed any more.
    write_json(broken.home / "run" / "times.json", WATCHFUL)
    port = broken.address.rpartition(":")[2]
    done = run_martlet("up", "--detach", "--home", str(broken.home), "--port", port, within=300, repo=broken.repo)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left by a supervisor that died" in done.stdout
    assert left.process() is None
    assert "from its last checkpoint" in done.stdout
    assert "chk-" in broken.status()["job_from"]
    exact_after(broken, traffic, before)


@pytest.mark.soak
def test_a_jobmanager_killed_goes_on_from_a_checkpoint(broken: Martlet) -> None:
    """Row 6."""
    before = ledger(broken)
    with Traffic(broken) as traffic:
        new_checkpoint(broken)
        job = broken.status()["job"]
        kill(broken, "jobmanager")
        until(lambda: broken.status().get("job") != job and job_runs(broken), 180, "the job is submitted again")
    assert "chk-" in broken.status()["job_from"]
    exact_after(broken, traffic, before)


@pytest.mark.soak
def test_a_corrupt_checkpoint_is_refused_and_the_one_before_taken(broken: Martlet) -> None:
    """Row 7."""
    before = ledger(broken)
    with Traffic(broken) as traffic:
        for _ in range(2):
            new_checkpoint(broken)
    suspend(pid_of(broken, "jobmanager"))  # no newer one from here on
    newest, *older = checkpoints(broken)
    assert older
    metadata = newest / "_metadata"
    metadata.write_bytes(metadata.read_bytes()[:40])
    job = broken.status()["job"]
    kill(broken, "jobmanager")
    until(lambda: broken.status().get("job") != job and job_runs(broken), 240, "the job is submitted again")
    assert newest.name in broken.status()["checkpoint_refused"]
    assert broken.status()["job_from"] != str(newest)
    exact_after(broken, traffic, before)


@pytest.mark.soak
def test_checkpoints_that_fail_stop_nothing_and_are_named(broken: Martlet) -> None:
    """Row 7: where checkpoints go can't be written to."""
    before = ledger(broken)
    folder = new_checkpoint(broken).parent
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.write_text("in the way")
    try:
        with Traffic(broken) as traffic:
            click(broken, 740_001)
            for _ in range(FAILED_IN_A_ROW):
                fail_a_checkpoint(broken)
            until(lambda: "checkpoint_overdue" in str(broken.status().get("alarms")), 30, "the alarm")
            click(broken, 740_002)
    finally:
        folder.unlink()
        aside.rename(folder)
    new_checkpoint(broken, 120)
    after = verify(broken)
    assert after["applied"] - before["applied"] == traffic.acknowledged + 2


def test_kafka_that_stops_loses_no_acknowledged_event_and_lists_go_on(broken: Martlet) -> None:
    """Row 8: stopped for a while; POST says so within its bound."""
    before, starts = ledger(broken), ends_of(broken)[EVENTS]
    with Traffic(broken) as traffic:
        with suspended(pid_of(broken, "kafka")):
            answer = broken.post({"type": "click", "user_id": 750_001, "item_id": 1, "event_id": "while-stopped"})
            assert answer.status_code == 503, answer.text
            assert broken.recommend(750_001)["items"]
        until(
            lambda: broken.post({"type": "click", "user_id": 750_001, "item_id": 1}).status_code == 202,
            60,
            "Kafka is back",
        )
    click(broken, 750_001)
    after, written = verify(broken), event_ids_since(broken, starts)
    assert len(written) >= traffic.acknowledged + 2
    assert after["applied"] - before["applied"] == len(written), "each once, whether its sender heard of it or not"
    assert after["rejected"] == before["rejected"]


@pytest.mark.soak
def test_kafka_down_for_seventy_seconds(broken: Martlet) -> None:
    """Row 8."""
    supervisor = int(broken.status()["supervisor"]["pid"])
    before, starts = ledger(broken), ends_of(broken)[EVENTS]
    with Traffic(broken) as traffic:
        suspend(supervisor)
        kafka = pid_of(broken, "kafka")
        os.kill(kafka, signal.SIGKILL)
        try:
            for _ in range(7):
                time.sleep(10)
                assert broken.recommend(751_001)["items"]
                assert broken.post({"type": "click", "user_id": 751_001, "item_id": 1}).status_code == 503
        finally:
            resume(supervisor)
    until(
        lambda: broken.post({"type": "click", "user_id": 751_001, "item_id": 1}).status_code == 202, 90, "Kafka is back"
    )
    after, written = verify(broken), event_ids_since(broken, starts)
    assert len(written) > traffic.acknowledged
    assert after["applied"] - before["applied"] == len(written)


WRITTEN, STARTED = "job_wrote_again", "job_submitted_again"
"""What the status notes of a loss: the job wrote it again as it ran, or was started again from before it."""


def lose_the_tail(martlet: Martlet, killing_a_task: bool) -> set[str]:
    """Kill Redis and cut off the tail of its log, and a TaskManager with it where that is wanted; returns the notes that tell of
    what was lost, once it is written again."""
    known = {each: martlet.status().get(each) for each in (WRITTEN, STARTED)}

    def news() -> dict[str, str]:
        status = martlet.status()
        return {name: status[name] for name, before in known.items() if status.get(name) != before}

    new_checkpoint(martlet)
    time.sleep(2)
    supervisor = int(martlet.status()["supervisor"]["pid"])
    suspend(supervisor)
    os.kill(pid_of(martlet, "redis"), signal.SIGKILL)
    log = max((martlet.home / "redis" / "appendonlydir").glob("*.incr.aof"), key=lambda each: each.stat().st_mtime)
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.truncate(max(0, size - 20_000))
    answer = martlet.recommend(700_001)
    assert "no live features" in answer["degraded"]
    if killing_a_task:
        os.kill(pid_of(martlet, until(lambda: working(martlet), 30, "tasks run")[0]), signal.SIGKILL)
    resume(supervisor)
    until(news, 120, "it is written again")
    await_job(martlet)
    assert all("another instance" in each for each in news().values())
    return set(news())


@pytest.mark.parametrize("remembers", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_what_a_killed_redis_lost_is_written_again(broken: Martlet, remembers: bool) -> None:
    """Row 9: the last second may be gone; to be sure that some is, the tail of its log is cut off. The job writes it again as it
    runs; one that has just been started doesn't remember what, and goes back to a checkpoint from before. So does one whose
    lanes are late with their answers, on a busy machine: then the next loss has to show it."""
    before = ledger(broken)
    with Traffic(broken) as traffic:
        found = lose_the_tail(broken, killing_a_task=not remembers)
        for _ in range(2):
            if remembers and WRITTEN not in found:
                found = lose_the_tail(broken, killing_a_task=False)
    assert (WRITTEN if remembers else STARTED) in found
    exact_after(broken, traffic, before)


def test_a_redis_that_hangs_is_waited_for(broken: Martlet) -> None:
    """Row 9."""
    before = ledger(broken)
    with Traffic(broken) as traffic, suspended(pid_of(broken, "redis")):
        time.sleep(8)
        assert broken.recommend(700_002)["degraded"]
    exact_after(broken, traffic, before)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [0, 300])
def test_a_redis_away_for_minutes_is_waited_for_and_a_cancel_is_obeyed_meanwhile(broken: Martlet, seconds: int) -> None:
    """Row 17: where more users wait than the job buffers, its task fails for want of Redis, and starts again, until then."""
    before = ledger(broken)
    pid = pid_of(broken, "redis")
    suspend(pid)
    began = time.monotonic()
    try:
        acknowledged = act_as_many(broken, 2 * BUFFER_KEYS)
        until(lambda: "takes no writes" in newest_failure(broken), 120, "a task fails, and says why")
        await_job(broken)
        job = broken.status()["job"]
        cancel_job(broken)
        until(lambda: job_state(broken, job) == "CANCELED", 60, "the job is cancelled")
        until(lambda: broken.status().get("job") != job and job_runs(broken), 180, "the job is submitted again")
        until(lambda: time.monotonic() - began >= seconds, seconds + 1, "Redis is away for that long")
    finally:
        resume(pid)
    after = verify(broken)
    assert after["applied"] - before["applied"] == acknowledged
    assert after["duplicate"] == before["duplicate"]


@pytest.mark.soak
def test_rebuild_brings_back_what_a_flush_has_emptied(broken: Martlet) -> None:
    """Row 9."""
    before = verify(broken)
    broken.redis.flushall()
    done = broken.command("rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verify(broken) == before


@pytest.mark.soak
def test_rescaling_to_four_and_back_counts_the_same(broken: Martlet) -> None:
    before = ledger(broken)
    with Traffic(broken) as traffic:
        for parallelism in ("4", "1"):
            done = broken.command("upgrade", "--parallelism", parallelism, within=400)
            assert done.returncode == 0, done.stdout + done.stderr
    exact_after(broken, traffic, before)
