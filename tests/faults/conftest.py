"""A Martlet that is broken on purpose: a home of its own, which runs a copy of the code, so that the code can change too."""

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from features.contracts.events import write_event
from features.errors import Unavailable
from features.keys import DEFAULT_PARTITIONS, EVENTS, partition_of
from features.types import CLICK, Event
from infra.flink.client import FlinkClient
from infra.system import probes
from infra.system.repository import REPO
from tests.home import WATCHFUL, Martlet, answer_of, checkpoints, running, until
from tests.schemas import MOVIES
from tests.seed import EMPTY, seed

HURRIED = WATCHFUL | {"spare_calm": 3.0}
"""The standby TaskManager is there soon."""
_NUMBERS = count()
"""Of all that is sent, one each: an event id that comes again would be a duplicate."""
CODE = ("features", "streaming", "offline", "models", "online", "infra")
HALF_WRITTEN = shutil.ignore_patterns("*.pyc.*", "*.tmp.*")
"""What is compiled of the code is copied, too, but for what another process writes right now."""


@pytest.fixture(scope="package")
def broken(tmp_path_factory: pytest.TempPathFactory, seeds: Path) -> Iterator[Martlet]:
    """A home without history, in which shown lists are closed after 5 s, run from a copy of the code."""
    repo = tmp_path_factory.mktemp("code")
    for name in CODE:
        shutil.copytree(REPO / name, repo / name, ignore=HALF_WRITTEN)
    for name in ("martlet", "pyproject.toml", "requirements.lock"):
        shutil.copy(REPO / name, repo / name)
    (repo / ".venv").symlink_to(REPO / ".venv")
    with running(
        tmp_path_factory.mktemp("faults"), "--history", "0", "--attribution", "5",
        repo=repo, seed=seed(EMPTY, seeds), timings=HURRIED,
    ) as home:  # fmt: skip
        yield home


class Traffic:
    """Clicks of 200 users at a steady rate, until the context ends; what the broker acknowledged is counted."""

    def __init__(self, martlet: Martlet, rate: float = 100.0) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=martlet.bootstrap, acks="all", linger_ms=2, delivery_timeout_ms=180_000
        )
        self._kafka = martlet.kafka
        self._run = next(_NUMBERS)
        self._pause = 1 / rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._futures: list[Any] = []

    def _send(self) -> None:
        for number in count():
            if self._stop.wait(self._pause):
                return
            user = 700_000 + number % 200
            ts = 892_000_000_000 + self._run * 10_000_000 + number
            event = Event(f"traffic-{self._run}-{number}", CLICK, user, 1 + number % 50, 0, "", ts)
            self._futures.append(
                self._producer.send(
                    EVENTS,
                    write_event(event, MOVIES),
                    str(user).encode(),
                    partition=self._kafka.partition_of(user),
                )
            )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(10)
        self._producer.flush(180)
        self._producer.close(10)

    @property
    def acknowledged(self) -> int:
        return sum(future.succeeded() for future in list(self._futures))


def event_ids_since(martlet: Martlet, starts: dict[int, int]) -> set[str]:
    """The ids of all events in the log from these offsets on, by partition."""
    parts = {TopicPartition(EVENTS, number): offset for number, offset in starts.items()}
    consumer = KafkaConsumer(bootstrap_servers=martlet.bootstrap)
    found: set[str] = set()
    try:
        consumer.assign(list(parts))
        for part, offset in parts.items():
            consumer.seek(part, offset)
        ends = consumer.end_offsets(list(parts))
        deadline = time.monotonic() + 60
        while any(consumer.position(part) < end for part, end in ends.items()):
            assert time.monotonic() < deadline, "the log could not be read within 60 s"
            for records in consumer.poll(500).values():
                found |= {json.loads(record.value)["event_id"] for record in records}
    finally:
        consumer.close()
    return found


def pid_of(martlet: Martlet, service: str) -> int:
    return int(martlet.status()["services"][service]["pid"])


def ask_for_checkpoint(martlet: Martlet) -> None:
    """Raises Unavailable."""
    path = f"{flink(martlet)}/jobs/{martlet.status()['job']}/checkpoints"
    probes.http_json(path, method="POST", body={"checkpointType": "CONFIGURED"})


def fail_a_checkpoint(martlet: Martlet) -> None:
    """Ask for a checkpoint, and wait until one more has failed."""

    def failed() -> int:
        return int(ask_flink(martlet, f"/jobs/{martlet.status()['job']}/checkpoints")["counts"]["failed"])

    def is_asked_for() -> bool:
        ask_for_checkpoint(martlet)
        return True

    before = failed()
    until(is_asked_for, 30, "a checkpoint is asked for", despite=Unavailable)
    until(lambda: failed() > before, 60, "a checkpoint fails")


def new_checkpoint(martlet: Martlet, within: float = 90) -> Path:
    """Ask for a checkpoint and wait for one that is completed from now on."""
    began = checkpoints(martlet)[:1]
    with contextlib.suppress(Unavailable):  # where it can't be asked for, the next one in turn will do
        ask_for_checkpoint(martlet)

    def newest() -> Path | None:
        there = checkpoints(martlet)[:1]
        return there[0] if there and there != began else None

    found: Path = until(newest, within, "a new checkpoint")
    return found


def flink(martlet: Martlet) -> str:
    """Where Flink answers REST."""
    return f"http://127.0.0.1:{martlet.status()['ports']['flink_rest']}"


def ask_flink(martlet: Martlet, path: str) -> Any:
    return answer_of(lambda: probes.http_json(f"{flink(martlet)}{path}"), "Flink")


def free_slots(martlet: Martlet) -> dict[str, int]:
    """By TaskManager; the spare one has a free slot."""
    return {each["id"]: each["freeSlots"] for each in ask_flink(martlet, "/taskmanagers")["taskmanagers"]}


def attempt(martlet: Martlet) -> tuple[str, int]:
    """The job, and when Flink began to start its tasks again, ms; 0: never."""
    job = str(martlet.status()["job"])
    return job, int(ask_flink(martlet, f"/jobs/{job}")["timestamps"]["RESTARTING"])


def working(martlet: Martlet) -> list[str]:
    """The TaskManagers that run tasks of the job; none while it is being started anew."""
    job = str(martlet.status()["job"])
    tasks = [
        task
        for vertex in ask_flink(martlet, f"/jobs/{job}")["vertices"]
        for task in ask_flink(martlet, f"/jobs/{job}/vertices/{vertex['id']}")["subtasks"]
    ]
    return sorted({str(task["taskmanager-id"]) for task in tasks if task["status"] == "RUNNING"})


def job_runs(martlet: Martlet) -> bool:
    """Whether Flink says that every task runs."""
    try:
        rest = flink(martlet)
        jobs = [job for job in probes.http_json(f"{rest}/jobs/overview")["jobs"] if job["state"] == "RUNNING"]
        return any(job["tasks"]["running"] == job["tasks"]["total"] for job in jobs)
    except Exception:
        return False


def job_state(martlet: Martlet, job: str) -> str:
    """Flink's word for how a job is, whether it lives or has ended."""
    return str(ask_flink(martlet, f"/jobs/{job}")["state"])


def newest_failure(martlet: Martlet) -> str:
    """The stack trace of the job's newest failure; "" where it has not failed."""
    client = FlinkClient(flink(martlet))
    return answer_of(lambda: client.newest_failure(martlet.status()["job"]), "Flink").text


def cancel_job(martlet: Martlet) -> None:
    """Cancel the job; one that was heard, and not answered in time, is not asked for again once the job has ended."""
    client, job = FlinkClient(flink(martlet)), str(martlet.status()["job"])

    def is_cancelled() -> bool:
        if job_state(martlet, job) not in ("CANCELLING", "CANCELED"):
            client.cancel(job)
        return True

    answer_of(is_cancelled, "Flink")


def act_as_many(martlet: Martlet, users: int) -> int:
    """One click each of so many users, to the log; returns how many were acknowledged: all."""
    producer = KafkaProducer(bootstrap_servers=martlet.bootstrap, acks="all", linger_ms=20)
    ids = range(710_000, 710_000 + users)
    run = next(_NUMBERS)
    events = {
        user: Event(f"one-of-many-{run}-{user}", CLICK, user, 1 + user % 50, 0, "", 892_000_000_000) for user in ids
    }
    sent = [
        producer.send(
            EVENTS, write_event(event, MOVIES), str(user).encode(), partition=partition_of(user, DEFAULT_PARTITIONS)
        )
        for user, event in events.items()
    ]
    producer.flush(60)
    producer.close(10)
    assert all(future.succeeded() for future in sent)
    return len(sent)


def await_job(martlet: Martlet, within: float = 150) -> None:
    until(lambda: job_runs(martlet), within, "the job runs")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def click(martlet: Martlet, user: int, item: int = 1, within: float = 60) -> None:
    """A click, posted and seen applied."""
    token = martlet.post({"type": "click", "user_id": user, "item_id": item}).json()["seen"]
    until(
        lambda: martlet.recommend(user, seen=token)["freshness"]["seen_applied"],
        within,
        f"the click of user {user} is applied",
    )
