"""The watch's last sight in Prometheus' words: what the API can't know (the log's end, Flink, alarms)."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from features.keys import EVENTS, SERVED
from infra.monitoring.alarms import NAMES, Alarm
from infra.monitoring.snapshot import FLINK, KAFKA, REDIS, Flow


class WatchCollector(Collector):
    """Shows a sight until the next one; a number that is not known is left out."""

    def __init__(self) -> None:
        self._families: list[Metric] = []

    def show(self, flow: Flow, alarms: Sequence[Alarm]) -> None:
        self._families = list(_families(flow, alarms))

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


def _families(flow: Flow, alarms: Sequence[Alarm]) -> Iterator[Metric]:
    held = {alarm.name for alarm in alarms}
    yield from _labelled("alarm", "1 while the alarm holds.", "name", {name: float(name in held) for name in NAMES})
    yield from _labelled(
        "reachable",
        "1 if the service answered the watch.",
        "service",
        {service: float(service not in flow.failures) for service in (KAFKA, REDIS, FLINK)},
    )
    yield from _gauge("watched_at_seconds", "Wall time of this sight.", flow.asked_at / 1000)
    pending = {topic: count for topic in (EVENTS, SERVED) if (count := flow.pending(topic)) is not None}
    yield from _labelled(
        "pending_records",
        "Records acknowledged and not folded yet.",
        "topic",
        {k: float(v) for k, v in pending.items()},
    )
    yield from _gauge(
        "event_time_lag_seconds", "The home's clock less the watermark.", _seconds(flow.event_time_lag_ms)
    )
    yield from _gauge(
        "broker_lag_seconds",
        "How long the oldest pending event has waited.",
        _seconds(flow.broker_lag_ms),
    )
    yield from _gauge("job_running", "1 while every task runs.", None if FLINK in flow.failures else _runs(flow))
    if flow.job is None:
        return
    checkpoints = flow.job.checkpoints
    yield from _gauge("job_restarts", "Restarts of the running job.", flow.job.restarts)
    yield from _gauge(
        "checkpoint_age_seconds", "Since the newest complete checkpoint.", _seconds(flow.checkpoint_age_ms)
    )
    yield from _gauge("checkpoint_duration_seconds", "How long the newest one took.", _seconds(checkpoints.duration_ms))
    yield from _gauge("state_bytes", "State in the newest complete checkpoint.", checkpoints.state_bytes)
    yield from _gauge("checkpoints_failed", "Failed ones of the running job.", checkpoints.failed)
    for name, text, shares in (
        ("task_busy_ratio", "Share of its time that a task works.", {v.name: v.busy for v in flow.job.vertices}),
        (
            "task_backpressured_ratio",
            "Share of its time that a task waits for the next one.",
            {v.name: v.backpressured for v in flow.job.vertices},
        ),
    ):
        yield from _labelled(name, text, "task", {key: value for key, value in shares.items() if value is not None})


def _runs(flow: Flow) -> float:
    return float(flow.job is not None and flow.job.runs)
