"""A snapshot as one JSON object, for `status` and the monitor's endpoint."""

from typing import Any

from features.keys import EVENTS, SERVED
from features.store.freshness import FreshnessHistogram
from features.store.job_status import OPERATORS, lane_fields
from infra.monitoring.snapshot import Job, Snapshot

QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def quantiles(histogram: FreshnessHistogram) -> dict[str, float | int | None]:
    """{"count": n, "p50_ms": …, "p95_ms": …, "p99_ms": …}; None for an empty one's."""
    found: dict[str, float | int | None] = {"count": histogram.count}
    for name, q in QUANTILES.items():
        value = histogram.quantile(q)
        found[name] = None if value is None else round(value, 1)
    return found


def job_page(rest: str, job_id: str) -> str:
    """Returns the URL of Flink's page of a job, at the first of several JobManagers."""
    return f"{rest.partition(',')[0]}/#/job/running/{job_id}/overview"


def flow_report(snapshot: Snapshot, rest: str) -> dict[str, Any]:
    """Convert a snapshot to JSON; None for what a service did not report, with the reason in `unreachable`. `rest` is the URL of
    Flink's web page."""
    fresh = {operator: snapshot.freshness(operator) for operator in OPERATORS}
    return {
        "asked_at": snapshot.taken_at,
        "clock": snapshot.clock,
        "unreachable": snapshot.failures,
        "ledger": snapshot.ledger(),
        "served_ledger": snapshot.served_ledger(),
        "unbalanced": {str(lane): how for lane, how in snapshot.imbalance().items()},
        "lanes": None
        if snapshot.lanes is None
        else {str(number): lane_fields(lane) for number, lane in sorted(snapshot.lanes.items())},
        "watermark_ms": snapshot.watermark_ms,
        "event_time_lag_ms": snapshot.event_time_lag_ms,
        "broker_lag_ms": snapshot.broker_lag_ms,
        "pending": {topic: snapshot.pending(topic) for topic in (EVENTS, SERVED)},
        "open_lists": snapshot.total("open_lists"),
        "samples": snapshot.total("samples"),
        "lists_closed_early": snapshot.total("closed_early"),
        "unmatched_actions": snapshot.total("unmatched"),
        "freshness": {operator: quantiles(each) for operator, each in fresh.items() if each is not None},
        "job": None if snapshot.job is None else _job(snapshot, snapshot.job, rest),
    }


def _job(snapshot: Snapshot, job: Job, rest: str) -> dict[str, Any]:
    checkpoints = job.checkpoints
    return {
        "id": job.id,
        "state": job.state,
        "page": job_page(rest, job.id),
        "started_at": job.started_at,
        "tasks": job.tasks,
        "tasks_running": job.tasks_running,
        "restarts": job.restarts,
        "state_bytes": checkpoints.state_bytes,
        "checkpoint": {
            "age_ms": snapshot.checkpoint_age_ms,
            "duration_ms": checkpoints.duration_ms,
            "completed": checkpoints.completed,
            "failed": checkpoints.failed,
            "failed_in_a_row": checkpoints.failed_in_a_row,
            "last_failure": checkpoints.failure or None,
        },
        "vertices": [
            {
                "name": vertex.name,
                "parallelism": vertex.parallelism,
                "busy": vertex.busy,
                "backpressured": vertex.backpressured,
            }
            for vertex in job.vertices
        ],
    }
