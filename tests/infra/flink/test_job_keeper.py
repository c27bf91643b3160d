"""The keeper of a job in a cluster that is attached: its TaskManagers are nobody's to start, and it goes on without us."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from features.errors import Unavailable
from infra.flink.job_keeper import JobKeeper
from infra.home.paths import Home


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
        Home(folder).make(), anything, attached, anything, lambda _: (), lambda _: None, None, anything, lambda: None
    )


def test_a_job_that_takes_no_savepoint_is_cancelled_since_the_cluster_lives_on(tmp_path: Path) -> None:
    job, notes = AttachedJob(), dict[str, object]()
    keeper_of(tmp_path, job, notes).stop()
    assert job.cancelled == 1
    assert notes["savepoint"] == "no savepoint"


def test_a_job_that_can_not_be_ended_does_not_keep_all_else_from_being_stopped(tmp_path: Path) -> None:
    notes: dict[str, object] = {}
    keeper_of(tmp_path, AttachedJob(ends=False), notes).stop()
    assert notes["savepoint"] == "the job may run on: job a was not cancelled"
