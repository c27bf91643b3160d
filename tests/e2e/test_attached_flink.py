"""A home attached to a Flink session cluster that it did not start: its job lives there, and leaves all else as it was."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.flink.client import FlinkClient
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.system.processes import ProcessId
from tests.home import Martlet, running, until
from tests.ledger import verify
from tests.seed import HISTORY, seed
from tests.session_cluster import SessionCluster, session_cluster

pytestmark = [pytest.mark.broken, pytest.mark.timeout(1200)]

SPARE = 1
"""Slots beside the two of the job."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    with session_cluster(tmp_path_factory.mktemp("cluster"), 2 + SPARE) as started:
        yield started


def rate(martlet: Martlet, item: int, within: float = 60) -> None:
    answer = martlet.post({"type": "rating", "user_id": 6, "item_id": item, "rating": 5})
    assert answer.status_code == 202, answer.text
    listed = martlet.applied(6, answer.json()["seen"], within)
    assert item not in [each["item_id"] for each in listed["items"]]


def kill_a_worker(cluster: SessionCluster, job_name: str) -> None:
    """Kill the TaskManager of the user fold."""
    flink = FlinkClient(cluster.address, job_name=job_name)
    job = flink.live_job()
    assert job is not None
    vertex = next(each["id"] for each in flink.job(job)["vertices"] if "users" in each["name"])
    (subtask,) = flink.subtasks(job, vertex)
    number = int(subtask["taskmanager-id"].removeprefix("taskmanager-"))
    os.kill(cluster.task_manager(number).pid, signal.SIGKILL)


def new_checkpoint(cluster: SessionCluster, job_name: str) -> None:
    """Wait until the job has completed another checkpoint: it has caught up."""
    flink = FlinkClient(cluster.address, job_name=job_name)
    job = flink.live_job()
    assert job is not None

    def completed() -> int:
        return int(flink.checkpoints(job)["counts"]["completed"])

    before = until(lambda: [completed()], 30, "Flink answers", despite=Unavailable)[0]
    until(lambda: completed() > before, 90, "a checkpoint", despite=Unavailable)


def test_a_homes_job_lives_in_a_cluster_that_it_did_not_start(
    cluster: SessionCluster, tmp_path: Path, seeds: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "martlet.toml").write_text(f'[flink]\naddress = "{cluster.address}"\n')
    with running(home, seed=seed(HISTORY, seeds)) as martlet:
        job_name = HomeRecord(Home(home)).job_name
        assert martlet.status()["attached"] == {"Flink": cluster.address}
        assert not [name for name in martlet.status()["services"] if name.startswith(("taskmanager", "jobmanager"))]
        rate(martlet, 50)
        replayed = martlet.command("replay", "--speed", "max", "--to", "1998-03-15")
        assert replayed.returncode == 0, replayed.stderr
        assert verify(martlet)["applied"] > 1
        found = martlet.command("doctor").stdout
        assert f"ok      Flink: version: 2.3.0 at {cluster.address}" in found
        assert "ok      Flink: probe: a TaskManager has this version, its jars and the home's folder" in found
        refused = martlet.command("upgrade")
        assert refused.returncode == 1
        assert "the Flink cluster is attached: ./martlet down, restart its TaskManagers" in refused.stderr

        kill_a_worker(cluster, job_name)
        rate(martlet, 100, within=90)
        assert verify(martlet)["applied"] > 2
        assert martlet.status().get("job_submitted_again") is None, "the cluster itself recovers its job"
        new_checkpoint(cluster, job_name)  # a savepoint has its time; where it runs out, `down` cancels the job
    assert cluster.states(job_name) == ["FINISHED"]
    cluster.await_free(2)

    with running(home) as martlet:
        assert "/savepoint-" in martlet.status()["job_from"]
        rate(martlet, 127)
        assert verify(martlet)["applied"] > 3

        supervisor = ProcessId.from_json(martlet.status()["supervisor"])
        os.kill(supervisor.pid, signal.SIGKILL)
        until(lambda: supervisor.process() is None, what="up ends")
        assert "RUNNING" in cluster.states(job_name)
    assert sorted(cluster.states(job_name)) == ["CANCELED", "FINISHED"]
    cluster.await_free(2)
