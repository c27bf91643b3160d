"""A client of Flink's REST interface. Results are Flink's own JSON, documented on its REST API page."""

import time
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from features.errors import Unavailable
from infra.system import probes

ALIVE = frozenset({"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FAILING", "RECONCILING", "CANCELLING"})
JOB_NAME = "martlet"
TIMEOUT = 2.0

Json = dict[str, Any]


def all_run(job: Json) -> bool:
    """Returns whether every task of a job runs, given its details."""
    return job["state"] == "RUNNING" and all(vertex["status"] == "RUNNING" for vertex in job["vertices"])


def innermost_cause(trace: str) -> str:
    """Returns the last cause in a stack trace of Java's, one line; "" if there is none."""
    lines = [line.strip() for line in trace.splitlines() if line.strip().startswith("Caused by: ")]
    return lines[-1].removeprefix("Caused by: ")[:400] if lines else ""


class Failure(NamedTuple):
    """A failure of a job. text: its stack trace; worker: the TaskManager of the task that failed, "" where it was none; at: its
    time, ms."""

    text: str
    worker: str
    at: int


NO_FAILURE: Final = Failure("", "", 0)


class FlinkClient:
    """Client of one cluster at `address` (http://host:port; of several JobManagers, with commas between: one that does not lead
    asks the one that does); "our job" is the one that is called `job_name`. Every request to one of them ends within TIMEOUT
    seconds, and earlier where `limit_time` says so. Every method raises Unavailable if no response comes, or an error."""

    def __init__(self, address: str, job_name: str = JOB_NAME) -> None:
        self.address = address
        self._addresses = deque(address.split(","))
        """The one that answered last first."""
        self._job_name = job_name
        self._deadline: float | None = None

    def limit_time(self, seconds: float) -> None:
        """Limit all requests from now on, together: a JobManager has its share of what is left, so that one which says nothing
        leaves time for the next."""
        self._deadline = time.monotonic() + seconds

    def overview(self) -> Json:
        """Returns what the cluster has: flink-version, taskmanagers, slots-total, slots-available …"""
        found: Json = self._request("/overview")
        return found

    def jobs(self) -> list[Json]:
        """Returns our jobs, ended ones included: name, jid, state, start-time, tasks …"""
        return [job for job in self._request("/jobs/overview")["jobs"] if job["name"] == self._job_name]

    def live_job(self) -> str | None:
        """Returns the id of our live job; None if there is none."""
        return next((job["jid"] for job in self.jobs() if job["state"] in ALIVE), None)

    def newest_job(self) -> str | None:
        """Returns the id of our live job, else of the one started last; None if there was none."""
        jobs = self.jobs()
        return max(jobs, key=lambda job: (job["state"] in ALIVE, job["start-time"]))["jid"] if jobs else None

    def job(self, job: str) -> Json:
        """Returns a job's details: state, start-time, vertices, status-counts …"""
        found: Json = self._request(f"/jobs/{job}")
        return found

    def newest_failure(self, job: str) -> Failure:
        """Returns a job's newest failure; NO_FAILURE if it has not failed."""
        entries = self._request(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        if not entries:
            return NO_FAILURE
        newest = entries[0]
        return Failure(str(newest["stacktrace"]), str(newest.get("taskManagerId") or ""), int(newest["timestamp"]))

    def checkpoints(self, job: str) -> Json:
        """Returns a job's checkpoints: counts, latest, and history (ten, the newest first)."""
        found: Json = self._request(f"/jobs/{job}/checkpoints")
        return found

    def vertex_checkpoint(self, job: str, checkpoint: int, vertex: str) -> Json:
        """Returns one task's part of a checkpoint: state_size …"""
        found: Json = self._request(f"/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}")
        return found

    def subtasks(self, job: str, vertex: str) -> list[Json]:
        """Returns the subtasks of a task: taskmanager-id, status …"""
        found: list[Json] = self._request(f"/jobs/{job}/vertices/{vertex}")["subtasks"]
        return found

    def job_metrics(self, job: str, names: Sequence[str]) -> Json:
        """Returns metrics of a job by name; None where Flink has no value."""
        found = self._request(f"/jobs/{job}/metrics?get={','.join(names)}")
        return {each["id"]: each.get("value") for each in found or ()}

    def vertex_metrics(self, job: str, vertex: str, names: Sequence[str]) -> Json:
        """Returns the maximum over a task's subtasks of each metric; None where Flink has no value."""
        found = self._request(f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?get={','.join(names)}&agg=max")
        return {each["id"]: each.get("max") for each in found or ()}

    def worker_metrics(self, workers: Collection[str], names: Sequence[str]) -> Json:
        """Returns the maximum over these TaskManagers of each metric; None where Flink has no value."""
        query = f"get={','.join(names)}&taskmanagers={','.join(sorted(workers))}&agg=max"
        found = self._request(f"/taskmanagers/metrics?{query}") if workers else ()
        return {each["id"]: each.get("max") for each in found or ()}

    def task_managers(self) -> list[Json]:
        """Returns the registered TaskManagers: id, path, freeSlots …"""
        found: list[Json] = self._request("/taskmanagers")["taskmanagers"]
        return found

    def cancel(self, job: str) -> None:
        """Cancel a job, without a savepoint."""
        self._request(f"/jobs/{job}", "PATCH", {})

    def stop_with_savepoint(self, job: str, folder: str) -> str:
        """Stop a job with a savepoint under a folder (URI); returns the id of the request."""
        request = self._request(f"/jobs/{job}/stop", "POST", {"targetDirectory": folder, "drain": False})
        return str(request["request-id"])

    def savepoint(self, job: str, request: str) -> Json:
        """Returns the state of a savepoint request: status, operation."""
        found: Json = self._request(f"/jobs/{job}/savepoints/{request}")
        return found

    def _request(self, path: str, method: str = "GET", body: object = None) -> Any:
        # What is to be done once is not asked of another one, too.
        tries = 1 if method == "POST" else len(self._addresses)
        for untried in range(tries, 1, -1):
            with suppress(Unavailable):
                return self._send(path, method, body, untried)
        return self._send(path, method, body, 1)

    def _send(self, path: str, method: str, body: object, untried: int) -> Any:
        """Send a request to the one that answered last; `untried`: how many may be asked yet, this one included."""
        left = TIMEOUT if self._deadline is None else min(TIMEOUT, (self._deadline - time.monotonic()) / untried)
        try:
            return probes.http_json(self._addresses[0] + path, timeout=max(0.05, left), method=method, body=body)
        except Unavailable:
            self._addresses.rotate(-1)
            raise
