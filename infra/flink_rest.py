"""What Flink's REST interface says of the job."""

import time
from typing import Any

from infra import ask
from infra.flow import Checkpoints, Job, Vertex

ALIVE = frozenset({"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FAILING", "RECONCILING", "CANCELLING"})
JOB_NAME = "martlet"


def ask_job(rest: str, seconds: float) -> Job | None:
    """The job that lives, or the one that ended last; None if Flink knows of none. Raises Unavailable."""
    deadline = time.monotonic() + seconds

    def get(path: str) -> Any:
        return ask.http_json(f"{rest}{path}", timeout=max(0.05, deadline - time.monotonic()))

    jobs = [job for job in get("/jobs/overview")["jobs"] if job["name"] == JOB_NAME]
    if not jobs:
        return None
    job = max(jobs, key=lambda each: (each["state"] in ALIVE, each["start-time"]))
    path = f"/jobs/{job['jid']}"
    detail = get(path)
    metrics = {each["id"]: each.get("value") for each in get(f"{path}/metrics?get=numRestarts") or ()}
    return Job(
        id=job["jid"],
        state=detail["state"],
        started_at=detail["start-time"],
        tasks=sum(detail["status-counts"].values()),
        tasks_running=detail["status-counts"].get("RUNNING", 0),
        restarts=_number(metrics.get("numRestarts")),
        checkpoints=checkpoints_of(get(f"{path}/checkpoints")),
        vertices=tuple(
            _vertex(vertex, get(f"{path}/vertices/{vertex['id']}{_SHARES}")) for vertex in detail["vertices"]
        ),
    )


_SHARES = "/subtasks/metrics?get=busyTimeMsPerSecond,backPressuredTimeMsPerSecond&agg=max"


def _vertex(vertex: dict[str, Any], metrics: list[dict[str, Any]] | None) -> Vertex:
    shares = {each["id"]: _share(each.get("max")) for each in metrics or ()}
    return Vertex(
        short_name(vertex["name"]),
        vertex["parallelism"],
        shares.get("busyTimeMsPerSecond"),
        shares.get("backPressuredTimeMsPerSecond"),
    )


def short_name(name: str) -> str:
    """ "Source: KafkaSource-default_catalog.default_database.events -> Calc[2] -> …" is "source events"."""
    first = name.split(" -> ")[0]
    return f"source {first.rsplit('.', 1)[-1]}" if first.startswith("Source: ") else first


def _share(ms_per_second: object) -> float | None:
    value = _number(ms_per_second)
    return None if value is None else min(1.0, value / 1000)


def _number(value: object) -> int | None:
    """Flink says NaN for what it has not measured, as a string or as a number."""
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return None


def checkpoints_of(answer: dict[str, Any]) -> Checkpoints:
    """From the answer of /jobs/<id>/checkpoints, whose history has the newest first."""
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
