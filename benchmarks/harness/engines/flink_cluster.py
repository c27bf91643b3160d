"""Reads from Flink's REST interface where a job's operators run, its checkpoints and its failures."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from features.errors import Broken, Unavailable
from infra.flink.client import FlinkClient, all_run
from infra.system.processes import wait_until

USERS = "users"
_KNOWN = (USERS, "items", "Source")
"""Parts of task names by which the job's tasks are recognised."""


@dataclass(frozen=True)
class Checkpoint:
    """A completed checkpoint: when it was triggered and last acknowledged (wall ms), bytes of the whole state, and bytes written
    for it (fewer if checkpoints are incremental)."""

    job: str
    number: int
    trigger_ms: int
    ack_ms: int
    state_bytes: int
    written_bytes: int

    @property
    def took_ms(self) -> int:
        return self.ack_ms - self.trigger_ms


class Cluster:
    """Client of one home's Flink. Every request is bounded and raises Unavailable if there is no response."""

    def __init__(self, rest: str) -> None:
        self._flink = FlinkClient(rest)

    def job(self) -> dict[str, Any]:
        """Returns the live job's details. Raises Unavailable if there is none."""
        job = self._flink.live_job()
        if job is None:
            raise Unavailable(f"{self._flink.address} knows of no job that runs")
        return self._flink.job(job)

    def running_since(self) -> int | None:
        """Returns when the newest task of the job was started (wall ms), if all of them run; None if not, or if Flink does not
        respond."""
        try:
            job = self.job()
        except Unavailable:
            return None
        if not all_run(job):
            return None
        return max(int(vertex["start-time"]) for vertex in job["vertices"])

    def operators(self, services: Iterable[str]) -> dict[str, str]:
        """Returns for each TaskManager among `services` the operators on it, such as "users" or "Source + items"; "" for none."""
        job = self.job()
        names: dict[str, set[str]] = {service: set() for service in services if service.startswith("taskmanager")}
        for vertex in job["vertices"]:
            kinds = {kind for kind in _KNOWN if kind in vertex["name"]} or {"sinks"}
            for subtask in self._flink.subtasks(job["jid"], vertex["id"]):
                service = next((name for name in names if subtask["taskmanager-id"].startswith(name)), None)
                if service is not None:
                    names[service] |= kinds
        return {service: " + ".join(sorted(kinds - {"sinks"} or kinds)) for service, kinds in names.items()}

    def checkpoints(self) -> list[Checkpoint]:
        """Returns the newest completed checkpoints (Flink remembers ten), oldest first."""
        job = self.job()["jid"]
        history = self._flink.checkpoints(job)["history"]
        return [
            Checkpoint(
                job,
                each["id"],
                each["trigger_timestamp"],
                each["latest_ack_timestamp"],
                each["state_size"],
                each["checkpointed_size"],
            )
            for each in reversed(history)
            if each["status"] == "COMPLETED" and not each["is_savepoint"]
        ]

    def await_checkpoint(self, after_ms: int, timeout: float = 300.0) -> Checkpoint:
        """Wait for the first completed checkpoint that was triggered after `after_ms` (wall ms). Raises Unavailable if none
        comes."""
        deadline = time.monotonic() + timeout
        trouble = "none was completed"
        while True:
            try:
                newer = [each for each in self.checkpoints() if each.trigger_ms > after_ms]
                if newer:
                    return newer[0]
            except Unavailable as error:
                trouble = str(error)
            if not wait_until(deadline, 0.2):
                raise Unavailable(f"no checkpoint within {timeout:.0f} s: {trouble}; {self.exceptions()}")

    def users_state_bytes(self, checkpoint: Checkpoint) -> int:
        """Returns the bytes of the user operator's state in a checkpoint."""
        job = self.job()
        vertices = [vertex["id"] for vertex in job["vertices"] if USERS in vertex["name"]]
        if len(vertices) != 1:
            names = ", ".join(vertex["name"] for vertex in job["vertices"])
            raise Broken(f"expected one task with {USERS!r} in its name, the job has: {names}")
        return int(self._flink.vertex_checkpoint(checkpoint.job, checkpoint.number, vertices[0])["state_size"])

    def exceptions(self) -> str:
        """Describes the job's newest failure in one line, for an error message."""
        try:
            failure = self._flink.newest_failure(self.job()["jid"]).text
        except (Unavailable, KeyError) as error:
            return f"Flink says no more ({error})"
        return f"the job's newest failure: {failure[:600]}" if failure else "the job has not failed"


class CheckpointLog(threading.Thread):
    """Collects the completed checkpoints while it runs, across restarts of the job; Flink itself remembers ten."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(name="checkpoint-log", daemon=True)
        self._cluster = cluster
        self._seen: dict[tuple[str, int], Checkpoint] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(1.0):
            self._poll()

    def _poll(self) -> None:
        try:
            for each in self._cluster.checkpoints():
                self._seen[each.job, each.number] = each
        except Unavailable:
            return  # Flink is unavailable; its history is read when it is back

    def end(self) -> list[Checkpoint]:
        """Stop collecting; returns all checkpoints seen, by time."""
        self._ended.set()
        self.join(30)
        self._poll()
        return sorted(self._seen.values(), key=lambda each: each.trigger_ms)
