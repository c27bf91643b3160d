"""Reads the job and its checkpoints from Flink's REST interface, as types of infra.monitoring.snapshot."""

from typing import Any

from features.store.job_status import OPERATORS
from infra.flink.client import FlinkClient
from infra.monitoring.snapshot import Checkpoints, Job, Vertex

BUSY, BACKPRESSURED = "busyTimeMsPerSecond", "backPressuredTimeMsPerSecond"
COLLECTING = "Status.JVM.GarbageCollector.All.TimeMsPerSecond"


def read_job(flink: FlinkClient, seconds: float) -> Job | None:
    """Returns the live job, or the one that ended last; None if Flink has none. Raises Unavailable, within `seconds`."""
    flink.limit_time(seconds)
    job = flink.newest_job()
    if job is None:
        return None
    detail = flink.job(job)
    return Job(
        id=job,
        state=detail["state"],
        started_at=detail["start-time"],
        tasks=sum(detail["status-counts"].values()),
        tasks_running=detail["status-counts"].get("RUNNING", 0),
        restarted_at=detail["timestamps"].get("RESTARTING") or None,
        restarts=_number(flink.job_metrics(job, ("numRestarts",)).get("numRestarts")),
        checkpoints=checkpoints_of(flink.checkpoints(job)),
        collecting=_share(flink.worker_metrics(_workers(flink, detail), (COLLECTING,)).get(COLLECTING)),
        vertices=tuple(
            _vertex(vertex, flink.vertex_metrics(job, vertex["id"], (BUSY, BACKPRESSURED)))
            for vertex in detail["vertices"]
        ),
    )


def _workers(flink: FlinkClient, detail: dict[str, Any]) -> set[str]:
    """Returns the TaskManagers that have the job's state; in the cluster there may be others."""
    vertices = (vertex["id"] for vertex in detail["vertices"] if short_name(vertex["name"]) in OPERATORS)
    subtasks = (each for vertex in vertices for each in flink.subtasks(detail["jid"], vertex))
    return {str(each["taskmanager-id"]) for each in subtasks if each["status"] == "RUNNING"}


def _vertex(vertex: dict[str, Any], metrics: dict[str, Any]) -> Vertex:
    return Vertex(
        short_name(vertex["name"]),
        vertex["parallelism"],
        _share(metrics.get(BUSY)),
        _share(metrics.get(BACKPRESSURED)),
    )


def short_name(name: str) -> str:
    """ "Source: log -> batches" is "source log"."""
    return name.split(" -> ")[0].replace("Source: ", "source ")


def _share(ms_per_second: object) -> float | None:
    value = _number(ms_per_second)
    return None if value is None else min(1.0, value / 1000)


def _number(value: object) -> int | None:
    """Parse a metric; None for NaN, which Flink reports, as a string or a number, for what it has not measured."""
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return None


def checkpoints_of(answer: dict[str, Any]) -> Checkpoints:
    """Parse the response of /jobs/<id>/checkpoints, whose history has the newest first."""
    counts, latest = answer["counts"], answer.get("latest") or {}
    newest = max(
        (each for each in (latest.get("completed"), latest.get("savepoint")) if each),
        key=lambda each: each["latest_ack_timestamp"],
        default=None,
    )
    row = 0
    for each in answer.get("history") or ():
        if each["status"] == "COMPLETED":
            break
        row += each["status"] == "FAILED"
    failed = latest.get("failed") or {}
    return Checkpoints(
        completed=counts["completed"],
        failed=counts["failed"],
        failed_in_a_row=row,
        failure=(failed.get("failure_message") or "").splitlines()[0] if failed.get("failure_message") else "",
        completed_at=newest["latest_ack_timestamp"] if newest else None,
        duration_ms=newest["end_to_end_duration"] if newest else None,
        state_bytes=newest["state_size"] if newest else None,
    )
