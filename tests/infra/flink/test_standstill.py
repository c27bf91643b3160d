"""A job that was restored to read nothing is noticed, and started from a checkpoint before."""

import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from features.engines.redis_address import RedisAddress
from features.errors import Unavailable
from features.store.job_status import lane_fields, lane_key
from infra.flink.checkpoints import own_store, retained
from infra.flink.client import NO_FAILURE, Failure
from infra.flink.job_control import Job
from infra.flink.job_keeper import JobKeeper
from infra.flink.standstill import PATIENCE, POLL_EVERY, PendingRecords, Standstill
from infra.home.paths import Home
from streaming.operators.stored_state import StoredLane
from streaming.testing.memory_log import MemoryLog
from tests.online.conftest import write_base
from tests.redis_process import redis_process
from tests.streaming.crashes import settings_of


def job_of(taken: int, state: str = "RUNNING") -> dict[str, Any]:
    """A job's details, as Flink says them, by the records that its source has taken."""
    records = {"Source: log -> batches": taken, "users": 0}
    vertices = [{"name": name, "status": state, "metrics": {"write-records": n}} for name, n in records.items()]
    return {"jid": "a", "state": state, "start-time": 1_000_000, "vertices": vertices}


class Watched:
    """A standstill's watch over a job, what waits for it, and time."""

    def __init__(self) -> None:
        self.job: dict[str, Any] | None = job_of(0)
        self.pending: int | None = 5
        self.now = 0.0
        self.watch = Standstill(self, lambda: self.now)

    def count(self) -> int:
        if self.pending is None:
            raise Unavailable("Kafka is away")
        return self.pending

    def close(self) -> None:
        """Nothing is open."""

    def stands_within(self, seconds: float) -> bool:
        """Whether the job is found not to read, within these seconds."""
        until = self.now + seconds
        while self.now < until:
            if self.watch.poll(lambda: self.job):
                return True
            self.now += POLL_EVERY
        return False


def test_a_job_that_takes_no_record_while_some_wait_is_noticed() -> None:
    watched = Watched()
    assert not watched.stands_within(PATIENCE)
    assert watched.stands_within(2 * POLL_EVERY)
    watched.watch.begin()
    assert not watched.stands_within(PATIENCE), "the next job has as long"


@pytest.mark.parametrize(
    "change",
    [
        lambda watched: setattr(watched, "job", job_of(3)),
        lambda watched: setattr(watched, "job", job_of(0, "RESTARTING")),
        lambda watched: setattr(watched, "job", None),
        lambda watched: setattr(watched, "pending", 0),
        lambda watched: setattr(watched, "pending", None),
    ],
    ids=["it reads", "it does not run", "there is none", "nothing waits", "nobody knows what waits"],
)
def test_any_other_job_is_left_alone(change: Callable[[Watched], None]) -> None:
    watched = Watched()
    assert not watched.stands_within(PATIENCE)
    change(watched)
    assert not watched.stands_within(10 * PATIENCE)
    watched.job, watched.pending = job_of(0), 5
    assert not watched.stands_within(PATIENCE), "the time before does not count"


def test_what_waits_is_what_the_log_holds_beyond_base_and_job(tmp_path: Path) -> None:
    base = write_base(tmp_path / "1")
    log = MemoryLog()
    log.ends = {(0, 2): 10, (0, 3): 4, (1, 3): 6}
    with redis_process(tmp_path) as server:
        settings = settings_of(base.folder, server.port, generation=2)
        pending = PendingRecords(RedisAddress("127.0.0.1", server.port), log, lambda: settings)
        assert pending.count() == 20
        for number, generation in ((2, 2), (3, 1)):  # what another generation has done says nothing
            fields: dict[Any, Any] = {**lane_fields(StoredLane(n=7, s=1, applied=7).published(generation, 0))}
            server.client.hset(lane_key(number), mapping=fields)
        assert pending.count() == 13
    with pytest.raises(Unavailable, match="Redis does not answer"):
        pending.count()
    log.is_away = True
    with pytest.raises(Unavailable, match="the log is away"):
        pending.count()


class Cluster:
    """A Flink whose job reads nothing unless it was started from the oldest checkpoint, and the client that submits to it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.restored: str | None = None
        self.submitted: list[str | None] = []

    def submit(self, restore: str | None) -> None:
        self.submitted.append(restore)
        self.restored = restore

    def live_job(self) -> str | None:
        return "a" if self.submitted else None

    newest_job = live_job

    def job(self, job: str) -> dict[str, Any]:
        reads = self.restored is not None and self.restored.endswith("chk-1")
        return job_of(int(reads))

    def newest_failure(self, job: str) -> Failure:
        return NO_FAILURE

    def checkpoints(self, job: str) -> dict[str, Any]:
        return {"latest": {"restored": None if self.restored is None else {"external_path": self.restored}}}

    def stop_with_savepoint(self, job: str, folder: str) -> str:
        raise Unavailable("no savepoint here")

    def cancel(self, job: str) -> None:
        self.submitted.append("cancelled")
        self.live_job = lambda: None if self.submitted[-1] == "cancelled" else "a"  # type: ignore[method-assign]


def test_a_checkpoint_that_reads_nothing_is_refused_with_all_that_came_of_it(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    for number in (1, 2, 3):
        metadata = home.checkpoints / "a" / f"chk-{number}" / "_metadata"
        metadata.parent.mkdir(parents=True)
        metadata.touch()
        os.utime(metadata, (number, number))
    cluster: Any = Cluster(home)
    notes: dict[str, object] = {}
    supervisor: Any = SimpleNamespace(note=notes.update, waiting=set, replace=None)
    job = Job(home, own_store(home), cluster, cluster, settings_of(tmp_path, 0), supervisor)
    cluster.submit((home.checkpoints / "a" / "chk-2").as_uri())
    clock = count(0.0, PATIENCE)
    redis_run: Any = SimpleNamespace(read_instances=lambda: ("r", 1), lost_since=lambda _: None, note=lambda _: None)
    repetition: Any = SimpleNamespace(loss=None, end=lambda: None, close=lambda: None)
    standby: Any = SimpleNamespace(poll=lambda: None, is_warm=False, stop=lambda: None)
    keeper = JobKeeper(
        home, supervisor, job, redis_run, lambda _: (), lambda _: None, standby,
        Standstill(Watched(), lambda: next(clock)), repetition, lambda: None,
    )  # fmt: skip
    keeper.start_thread()
    oldest = (home.checkpoints / "a" / "chk-1").as_uri()
    deadline = time.monotonic() + 20
    while cluster.submitted[-1] != oldest:
        assert time.monotonic() < deadline, f"started from {cluster.submitted}"
        time.sleep(0.05)
    keeper.stop()
    assert [each.name for each in retained(own_store(home))] == ["chk-1"]
    assert cluster.submitted[1:] == ["cancelled", oldest], "nothing that came of it was tried"
    assert "the job read nothing after it" in str(notes["checkpoint_refused"])
    assert "it read nothing of the log" in str(notes["job_submitted_again"])
