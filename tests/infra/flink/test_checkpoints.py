"""Which checkpoints of a home there are, which are never used again, and which are deleted."""

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from infra.flink.checkpoints import RETAINED, drop_older_savepoints, drop_superseded, own_store, retained
from infra.flink.job_control import BASE, Job
from infra.home.paths import Home
from tests.streaming.crashes import settings_of

OLD, NEW = "a" * 32, "b" * 32


def put(home: Home, job: str, number: int, at: float) -> Path:
    """A complete checkpoint of a job, completed at a time (s)."""
    folder = home.checkpoints / job / f"chk-{number}"
    folder.mkdir(parents=True)
    (folder / "_metadata").touch()
    os.utime(folder / "_metadata", (at, at))
    return folder


def names(home: Home) -> set[str]:
    return {folder.name for folder in home.checkpoints.iterdir()}


def test_checkpoints_of_jobs_before_go_once_there_are_enough_newer_ones(home: Home) -> None:
    put(home, OLD, 7, 1000)
    (home.checkpoints / "savepoint-a-b").mkdir()
    for number in range(RETAINED - 1):
        put(home, NEW, number, 2000 + number)
        drop_superseded(own_store(home), NEW)
    assert names(home) == {OLD, NEW, "savepoint-a-b"}
    put(home, NEW, RETAINED, 3000)
    drop_superseded(own_store(home), NEW)
    assert names(home) == {NEW, "savepoint-a-b"}
    drop_older_savepoints(own_store(home), 0)
    assert names(home) == {NEW}


def test_a_checkpoint_newer_than_those_of_the_job_stays(home: Home) -> None:
    for number in range(RETAINED):
        put(home, NEW, number, 2000 + number)
    put(home, OLD, 7, 2001)
    drop_superseded(own_store(home), NEW)
    assert names(home) == {OLD, NEW}


class Submitted:
    """A client that notes from where it submits the job."""

    def __init__(self) -> None:
        self.origins: list[str | None] = []

    def submit(self, origin: str | None) -> None:
        self.origins.append(origin)


def job_of(home: Home, client: Submitted, notes: dict[str, Any], generation: int = 1) -> Job:
    """The home's job in a cluster where whatever is submitted runs at once."""
    running = {"jid": NEW, "state": "RUNNING", "vertices": [{"status": "RUNNING"}]}
    flink: Any = SimpleNamespace(live_job=lambda: NEW, job=lambda _: running)
    submitted: Any = client
    supervisor: Any = SimpleNamespace(note=lambda **facts: notes.update(facts), replace=None)
    settings = msgspec.structs.replace(settings_of(home.path, 1), generation=generation)
    return Job(home, own_store(home), flink, submitted, settings, supervisor)


def test_a_checkpoint_from_after_a_loss_is_not_taken_by_a_later_start_either(home: Home) -> None:
    earlier, later = put(home, OLD, 1, 1000), put(home, OLD, 2, 2000)
    client, notes = Submitted(), dict[str, Any]()
    job = job_of(home, client, notes)
    assert job.start(before=1500) == str(earlier)
    assert job.start() == str(earlier), "Redis would lack what was written between the two"
    assert client.origins == [earlier.as_uri()] * 2
    assert [each.path for each in retained(own_store(home))] == [f"{OLD}/chk-1"]
    assert later.name in notes["checkpoint_refused"]
    assert job.start(before=500) == BASE


def test_whoever_starts_from_the_base_after_a_job_of_its_generation_writes_users_whole(home: Home) -> None:
    """That job may have written changes to a Redis that was emptied meanwhile, also while nothing watched over it: what was
    before them is missing there, below the newest n."""

    def run(generation: int) -> Job:
        job = job_of(home, Submitted(), {}, generation)
        assert job.start() == BASE
        return job

    began = 1000 * time.time()
    assert run(1).settings.whole_until == 0, "no other has written before it"
    assert run(1).settings.whole_until >= began
    again = run(2)
    assert again.settings.whole_until == 0, "what was written before is fenced out"
    assert again.start() == BASE
    assert again.settings.whole_until >= began, "the one that was started first has written"
