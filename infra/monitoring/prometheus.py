"""The monitor's last snapshot as Prometheus metrics: what the API does not know (the log's end, Flink, alarms)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from features.keys import EVENTS, SERVED
from infra.monitoring.alarms import NAMES, Alarm
from infra.monitoring.snapshot import FLINK, KAFKA, REDIS, Snapshot


class MonitorMetrics(Collector):
    """Exposes a snapshot until the next one; unknown values are omitted."""

    def __init__(self) -> None:
        self._families: list[Metric] = []

    def show(self, snapshot: Snapshot, alarms: Sequence[Alarm]) -> None:
        self._families = [*_families(snapshot, alarms), *_learning(snapshot.learning or {})]

    def collect(self) -> list[Metric]:
        return self._families


def _gauge(name: str, text: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(f"martlet_{name}", text, value=value)


def _labelled(name: str, text: str, label: str, values: dict[str, float]) -> Iterator[Metric]:
    family = GaugeMetricFamily(f"martlet_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    if values:
        yield family


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _families(snapshot: Snapshot, alarms: Sequence[Alarm]) -> Iterator[Metric]:
    held = {alarm.name for alarm in alarms}
    yield from _labelled("alarm", "1 while the alarm holds.", "name", {name: float(name in held) for name in NAMES})
    yield from _labelled(
        "reachable",
        "1 if the service answered the watch.",
        "service",
        {service: float(service not in snapshot.failures) for service in (KAFKA, REDIS, FLINK, *snapshot.probed)},
    )
    yield from _gauge("watched_at_seconds", "Wall time of this sight.", snapshot.taken_at / 1000)
    pending = {topic: count for topic in (EVENTS, SERVED) if (count := snapshot.pending(topic)) is not None}
    yield from _labelled(
        "pending_records",
        "Records acknowledged and not folded yet.",
        "topic",
        {k: float(v) for k, v in pending.items()},
    )
    yield from _gauge(
        "event_time_lag_seconds", "The home's clock less the watermark.", _seconds(snapshot.event_time_lag_ms)
    )
    yield from _gauge(
        "broker_lag_seconds",
        "How long the oldest pending event has waited.",
        _seconds(snapshot.broker_lag_ms),
    )
    yield from _gauge(
        "job_running", "1 while every task runs.", None if FLINK in snapshot.failures else _runs(snapshot)
    )
    host = snapshot.host
    yield from _gauge("disk_free_bytes", "Free where the home lies.", host.free)
    yield from _gauge(
        "certificate_ends_seconds", "Until when the API's certificate is valid.", _seconds(host.certificate_ends)
    )
    if snapshot.job is None:
        return
    checkpoints = snapshot.job.checkpoints
    yield from _gauge("job_restarts", "Restarts of the running job.", snapshot.job.restarts)
    yield from _gauge(
        "checkpoint_age_seconds", "Since the newest complete checkpoint.", _seconds(snapshot.checkpoint_age_ms)
    )
    yield from _gauge("checkpoint_duration_seconds", "How long the newest one took.", _seconds(checkpoints.duration_ms))
    yield from _gauge("state_bytes", "State in the newest complete checkpoint.", checkpoints.state_bytes)
    yield from _gauge("checkpoints_failed", "Failed ones of the running job.", checkpoints.failed)
    for name, text, shares in (
        ("task_busy_ratio", "Share of its time that a task works.", {v.name: v.busy for v in snapshot.job.vertices}),
        (
            "task_backpressured_ratio",
            "Share of its time that a task waits for the next one.",
            {v.name: v.backpressured for v in snapshot.job.vertices},
        ),
    ):
        yield from _labelled(name, text, "task", {key: value for key, value in shares.items() if value is not None})


def _learning(learning: Mapping[str, Any]) -> Iterator[Metric]:
    """What a learner has learned, as `infra.learning.learner_view` reports it; nothing before its first slice."""
    totals = {name: float(count) for name, count in learning.get("totals", {}).items()}
    yield from _labelled(
        "learning_total",
        "Slices and lists that the learner has learned, lists left out, slices skipped and weights refused.",
        "of",
        totals,
    )
    yield from _gauge(
        "learning_not_anew",
        "Makings anew from the log in a row that were given up.",
        (learning.get("not_anew") or {"given_up": 0})["given_up"],
    )
    if not (recent := learning.get("recent")):
        return
    newest = recent[-1]
    yield from _labelled(
        "learning_ndcg10", "NDCG@10 of the newest slice, before it was learned, by ranker.", "ranker", newest["ndcg10"]
    )
    yield from _gauge("learning_slice_seconds", "How long the newest slice took.", newest["seconds"])
    yield from _gauge(
        "learning_slice_at_seconds", "Wall time at which the newest slice was learned.", newest["ts"] / 1000
    )


def _runs(snapshot: Snapshot) -> float:
    return float(snapshot.job is not None and snapshot.job.runs)
