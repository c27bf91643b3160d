"""A TaskManager in which Python starts no more is replaced, by what Flink says of the job's newest failure."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from features.errors import Unavailable
from infra.flink.checkpoints import own_store
from infra.flink.client import NO_FAILURE, Failure
from infra.flink.job_control import Job
from infra.flink.spoiled_python import SpoiledPython
from infra.home.paths import Home
from tests.streaming.crashes import settings_of

TRACE = """java.lang.Error: java.lang.InterruptedException
\tat pemja.core.PythonInterpreter$MainInterpreter.initialize(PythonInterpreter.java:406)
\tat pemja.core.PythonInterpreter.initialize(PythonInterpreter.java:144)
Caused by: java.lang.InterruptedException
\tat java.base/java.util.concurrent.CountDownLatch.await(Unknown Source)
"""


@pytest.mark.parametrize(
    ("is_ours", "said"), [(True, "w, replaced"), (False, "w, not ours, and does not heal: restart it")]
)
def test_it_is_replaced_once_for_each_failure(is_ours: bool, said: str) -> None:
    replaced: list[tuple[str, float]] = []
    notes: dict[str, str] = {}

    def replace(name: str, at: float) -> bool:
        replaced.append((name, at))
        return is_ours

    spoiled = SpoiledPython(replace, notes.update)
    for at in (9_000, 9_000, 9_500):
        spoiled.see_to(Failure(TRACE, "w", at))
    assert replaced == [("w", 9.0), ("w", 9.5)], "the supervisor knows whether it has been started since"
    assert said in notes["worker_spoiled"]


@pytest.mark.parametrize(
    "text",
    [
        TRACE.replace("InterruptedException", "UnsatisfiedLinkError"),
        TRACE.replace("MainInterpreter.initialize", "MainInterpreter.close"),
        "pemja.core.PythonException: <class 'ValueError'>",
    ],
)
def test_another_failure_replaces_nobody(text: str) -> None:
    spoiled = SpoiledPython(lambda name, _: pytest.fail(f"{name} was replaced"), lambda **_: None)
    spoiled.see_to(Failure(text, "w", 1))
    spoiled.see_to(NO_FAILURE)


def test_the_job_sees_to_it_as_it_starts_and_as_it_runs(tmp_path: Path) -> None:
    replaced: list[str] = []

    class Cluster:
        at = 1

        def live_job(self) -> str:
            return "a"

        newest_job = live_job

        def job(self, _: str) -> dict[str, Any]:
            return {"state": "RESTARTING", "vertices": [{"status": "FAILED"}]}

        def newest_failure(self, _: str) -> Failure:
            return Failure(TRACE, "taskmanager-1", self.at)

    home, cluster = Home(tmp_path).make(), Cluster()
    supervisor: Any = SimpleNamespace(note=lambda **_: None, replace=lambda name, _: replaced.append(name))
    client: Any = cluster
    job = Job(home, own_store(home), client, client, settings_of(tmp_path, 0), supervisor)
    with pytest.raises(Unavailable, match="the job does not run after"):
        job.wait_running(timeout=0.5)
    assert replaced == ["taskmanager-1"]
    cluster.at = 1 << 60
    assert not job.restores_in_vain()
    assert replaced == 2 * ["taskmanager-1"]
