"""The keeper of a job in a cluster that is attached: its TaskManagers are nobody's to start, and it goes on without us."""

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from features.errors import Unavailable
from infra.flink.checkpoints import retained
from infra.flink.job_keeper import JobKeeper
from infra.flink.repetition import CLOCKS_DIFFER, Loss
from infra.home.paths import Home
from infra.services.redis_instance import Instances
from infra.storage.file_store import FolderStore
from tests.home import until


class AttachedJob:
    """A job whose cluster takes no savepoint. `ends`: whether it obeys a cancel."""

    def __init__(self, ends: bool = True) -> None:
        self.cancelled = 0
        self._ends = ends

    def just_began(self) -> bool:
        return False

    def stop_with_savepoint(self, timeout: float = 15.0) -> None:
        raise Unavailable("no savepoint")

    def cancel(self) -> None:
        self.cancelled += 1
        if not self._ends:
            raise Unavailable("job a was not cancelled")


def keeper_of(folder: Path, job: AttachedJob, notes: dict[str, object]) -> JobKeeper:
    anything: Any = SimpleNamespace(note=lambda **facts: notes.update(facts), waiting=set, close=lambda: None)
    attached: Any = job
    return JobKeeper(
        Home(folder).make(),
        anything,
        attached,
        anything,
        lambda _: (),
        lambda _: None,
        None,
        anything,
        anything,
        lambda: None,
    )


def test_a_job_that_takes_no_savepoint_is_cancelled_since_the_cluster_lives_on(tmp_path: Path) -> None:
    job = AttachedJob()
    text = keeper_of(tmp_path, job, {}).stop()
    assert job.cancelled == 1
    assert text == "none, the next start reads on from the newest checkpoint: no savepoint"


def test_a_job_that_can_not_be_ended_does_not_keep_all_else_from_being_stopped(tmp_path: Path) -> None:
    text = keeper_of(tmp_path, AttachedJob(ends=False), {}).stop()
    assert text.endswith("no savepoint; the job may run on: job a was not cancelled")


class LosingRedis:
    """A Redis that has lost what was written since 1000, until that is noted to be written again; the request, and time."""

    def __init__(self, outcome: bool | None) -> None:
        self.outcome = outcome
        self.noted: list[Instances] = []
        self.loss: Loss | None = None

    def read_instances(self) -> tuple[Instances, int]:
        return Instances(1005.0, ()), 1

    def lost_since(self, instances: Instances) -> float | None:
        return None if self.noted else 1000.0

    def note(self, instances: Instances) -> None:
        self.noted.append(instances)

    def poll(self, loss: Loss) -> bool | None:
        first, self.loss = self.loss is None, loss
        return None if first else self.outcome

    def end(self) -> None:
        self.loss = None

    def close(self) -> None:
        """Nothing is open."""


class RunningJob(AttachedJob):
    """A job that runs. `lost`: whether Flink has lost it until it is started."""

    settings: Any = SimpleNamespace(generation=1, parallelism=1)
    store: FolderStore

    def __init__(self, lost: bool = False) -> None:
        super().__init__()
        self.started: list[float | None] = []
        self.refused: list[float] = []
        self._lost = lost

    def running(self) -> str | None:
        return None if self._lost else "a"

    def restores_in_vain(self) -> bool:
        return False

    def details(self) -> None:
        """Flink tells nothing of it."""

    def refuse_since(self, since: float, reason: str) -> None:
        self.refused.append(since)

    def start(self, before: float | None = None) -> str:
        self.started.append(before)
        self._lost = False
        return "chk-1"


@pytest.mark.parametrize(
    ("outcome", "lost", "started"),
    [(True, False, []), (False, False, [1000.0]), (None, True, [1000.0])],
    ids=["written again", "can not be", "the job is lost meanwhile"],
)
def test_what_redis_lost_is_written_again_by_the_job_as_it_runs_or_by_one_from_before(
    tmp_path: Path, outcome: bool | None, lost: bool, started: list[float]
) -> None:
    redis: Any = LosingRedis(outcome)
    job: Any = RunningJob(lost)
    notes: dict[str, object] = {}
    supervisor: Any = SimpleNamespace(note=lambda **facts: notes.update(facts), waiting=set)
    standstill: Any = SimpleNamespace(poll=lambda _: False, begin=lambda: None, close=lambda: None)
    keeper = JobKeeper(
        Home(tmp_path).make(),
        supervisor,
        job,
        redis,
        lambda _: (),
        lambda _: None,
        None,
        standstill,
        redis,
        lambda: None,
    )
    keeper.start_thread()
    until(lambda: len(redis.noted) > 1, 20, "what it lost is written again")
    keeper.stop()
    assert job.started == started
    assert job.refused == ([] if started else [1000.0 - CLOCKS_DIFFER]), "what was written again could be lost again"
    assert ("job_wrote_again" in notes) == (not started)
    assert redis.loss is None


class NotedNowhere(LosingRedis):
    """A Redis that is well, of which nothing can be noted, since the home's disk is full."""

    def lost_since(self, instances: Instances) -> float | None:
        return None

    def note(self, instances: Instances) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_job_that_flink_has_lost_is_started_though_the_disk_is_full(tmp_path: Path) -> None:
    redis, job = NotedNowhere(None), RunningJob(lost=True)
    troubles: list[object] = []
    given_redis: Any = redis
    given_job: Any = job
    supervisor: Any = SimpleNamespace(note=lambda **facts: troubles.append(facts.get("job_trouble")), waiting=set)
    standstill: Any = SimpleNamespace(poll=lambda _: False, begin=lambda: None, close=lambda: None)
    keeper = JobKeeper(
        Home(tmp_path).make(), supervisor, given_job, given_redis, lambda _: (), lambda _: None, None, standstill,
        given_redis, lambda: None,
    )  # fmt: skip
    keeper.start_thread()
    until(lambda: job.started, 3, "the job is started again")
    until(lambda: any("No space left" in str(trouble) for trouble in troubles), 20, "and what is wrong is told")
    keeper.stop()
    assert job.started == [None]


class EmptiedRedis(LosingRedis):
    """A Redis that was emptied, until the base is in it again."""

    generation = 0

    def read_instances(self) -> tuple[Instances, int]:
        return Instances(1005.0, ()), self.generation

    def lost_since(self, instances: Instances) -> float | None:
        return None

    def fill(self) -> None:
        self.generation = 1


def test_a_redis_that_was_emptied_is_filled_and_the_whole_log_folded_by_a_job_from_the_base(tmp_path: Path) -> None:
    redis, job = EmptiedRedis(None), RunningJob()
    job.store = FolderStore(tmp_path / "checkpoints")
    given_redis: Any = redis
    given_job: Any = job
    supervisor: Any = SimpleNamespace(note=lambda **facts: None, waiting=set)
    standstill: Any = SimpleNamespace(poll=lambda _: False, begin=lambda: None, close=lambda: None)
    keeper = JobKeeper(
        Home(tmp_path).make(), supervisor, given_job, given_redis, lambda _: (), lambda _: None, None, standstill,
        given_redis, redis.fill,
    )  # fmt: skip
    (tmp_path / "checkpoints" / "a" / "chk-1").mkdir(parents=True)
    (tmp_path / "checkpoints" / "a" / "chk-1" / "_metadata").touch()
    keeper.start_thread()
    until(lambda: bool(redis.noted), 20, "Redis is full again")
    keeper.stop()
    assert job.started == [None]
    assert retained(job.store) == []
    assert job.cancelled == 2, "once before Redis was filled, once at the end"
