"""A sight of the flow as one JSON object: what `status` prints."""

from typing import Any

from features.keys import EVENTS, SERVED
from features.store.freshness import FreshnessHistogram
from features.store.job_status import OPERATORS, lane_fields
from infra.monitoring.snapshot import Flow, Job

QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def quantiles(histogram: FreshnessHistogram) -> dict[str, float | int | None]:
    """{"count": n, "p50_ms": …, "p95_ms": …, "p99_ms": …}; None for an empty one's."""
    found: dict[str, float | int | None] = {"count": histogram.count}
    for name, q in QUANTILES.items():
        value = histogram.quantile(q)
        found[name] = None if value is None else round(value, 1)
    return found


def job_page(rest: str, job_id: str) -> str:
    """Flink's own page of a job."""
    return f"{rest}/#/job/running/{job_id}/overview"


def flow_report(flow: Flow, rest: str) -> dict[str, Any]:
    """All that a sight tells; None for what a service did not answer, and why in `unreachable`. `rest` is the address of
    Flink's web page."""
    fresh = {operator: flow.freshness(operator) for operator in OPERATORS}
    return {
        "asked_at": flow.asked_at,
        "clock": flow.clock,
        "unreachable": flow.failures,
        "ledger": flow.ledger(),
        "served_ledger": flow.served_ledger(),
        "unbalanced": {str(lane): how for lane, how in flow.imbalance().items()},
        "lanes": None
        if flow.lanes is None
        else {str(number): lane_fields(lane) for number, lane in sorted(flow.lanes.items())},
        "watermark_ms": flow.watermark_ms,
        "event_time_lag_ms": flow.event_time_lag_ms,
        "broker_lag_ms": flow.broker_lag_ms,
        "pending": {topic: flow.pending(topic) for topic in (EVENTS, SERVED)},
        "open_lists": flow.total("open_lists"),
        "samples": flow.total("samples"),
        "freshness": {operator: quantiles(each) for operator, each in fresh.items() if each is not None},
        "job": None if flow.job is None else _job(flow, flow.job, rest),
    }


def _job(flow: Flow, job: Job, rest: str) -> dict[str, Any]:
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
            "age_ms": flow.checkpoint_age_ms,
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
