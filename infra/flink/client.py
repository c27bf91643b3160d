"""Flink's REST interface, as far as Martlet speaks it. Answers are Flink's own JSON, whose fields its REST API's page names."""

import time
from collections.abc import Sequence
from typing import Any

from infra.system import probes

ALIVE = frozenset({"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FAILING", "RECONCILING", "CANCELLING"})
JOB_NAME = "martlet"
TIMEOUT = 2.0

Json = dict[str, Any]


def all_run(job: Json) -> bool:
    """Whether every task of a job runs, by its details."""
    return job["state"] == "RUNNING" and all(vertex["status"] == "RUNNING" for vertex in job["vertices"])


class FlinkClient:
    """One cluster at `address` (http://host:port). Every question ends within TIMEOUT seconds, and all of them together within
    `within` seconds from now if that is given. Every method raises Unavailable where no answer comes, or an error."""

    def __init__(self, address: str, within: float | None = None) -> None:
        self.address = address
        self._deadline = None if within is None else time.monotonic() + within

    def jobs(self) -> list[Json]:
        """Our jobs, ended ones too: name, jid, state, start-time, tasks …"""
        return [job for job in self._ask("/jobs/overview")["jobs"] if job["name"] == JOB_NAME]

    def live_job(self) -> str | None:
        """Id of our job that Flink has not given up; None if there is none."""
        return next((job["jid"] for job in self.jobs() if job["state"] in ALIVE), None)

    def newest_job(self) -> str | None:
        """Id of our job that lives, else of the one that was started last; None if there was none."""
        jobs = self.jobs()
        return max(jobs, key=lambda job: (job["state"] in ALIVE, job["start-time"]))["jid"] if jobs else None

    def job(self, job: str) -> Json:
        """Details: state, start-time, vertices, status-counts …"""
        found: Json = self._ask(f"/jobs/{job}")
        return found

    def newest_failure(self, job: str) -> str:
        """The newest stack trace; "" if it has not failed."""
        entries = self._ask(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        return str(entries[0]["stacktrace"]) if entries else ""

    def checkpoints(self, job: str) -> Json:
        """counts, latest, and history (ten, the newest first)."""
        found: Json = self._ask(f"/jobs/{job}/checkpoints")
        return found

    def vertex_checkpoint(self, job: str, checkpoint: int, vertex: str) -> Json:
        """What one task put into a checkpoint: state_size …"""
        found: Json = self._ask(f"/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}")
        return found

    def subtasks(self, job: str, vertex: str) -> list[Json]:
        """Of one task: taskmanager-id, status …"""
        found: list[Json] = self._ask(f"/jobs/{job}/vertices/{vertex}")["subtasks"]
        return found

    def job_metrics(self, job: str, names: Sequence[str]) -> Json:
        """Values by name, None where Flink has none."""
        found = self._ask(f"/jobs/{job}/metrics?get={','.join(names)}")
        return {each["id"]: each.get("value") for each in found or ()}

    def vertex_metrics(self, job: str, vertex: str, names: Sequence[str]) -> Json:
        """Of each metric the highest value among the task's subtasks, None where Flink has none."""
        found = self._ask(f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?get={','.join(names)}&agg=max")
        return {each["id"]: each.get("max") for each in found or ()}

    def task_managers(self) -> list[Json]:
        """Those that have registered: id, path, freeSlots …"""
        found: list[Json] = self._ask("/taskmanagers")["taskmanagers"]
        return found

    def cancel(self, job: str) -> None:
        """Have a job end, without a savepoint."""
        self._ask(f"/jobs/{job}", "PATCH", {})

    def stop_with_savepoint(self, job: str, folder: str) -> str:
        """Have a job end with a savepoint under a folder (URI); the id of that request."""
        request = self._ask(f"/jobs/{job}/stop", "POST", {"targetDirectory": folder, "drain": False})
        return str(request["request-id"])

    def savepoint(self, job: str, request: str) -> Json:
        """What has become of a request: status, operation."""
        found: Json = self._ask(f"/jobs/{job}/savepoints/{request}")
        return found

    def _ask(self, path: str, method: str = "GET", body: object = None) -> Any:
        left = TIMEOUT if self._deadline is None else min(TIMEOUT, self._deadline - time.monotonic())
        return probes.http_json(self.address + path, timeout=max(0.05, left), method=method, body=body)
