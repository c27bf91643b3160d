"""How the whole of a home fares, from live numbers: what /v1/ops tells and ops.html shows."""

import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import Counter, Gauge

from features.freshness import BUCKETS_MS, FreshnessHistogram
from features.job_keys import OPERATORS, SERVED_VERDICTS, VERDICTS
from online import metrics
from online.job_numbers import JobSight
from online.policy import CONTROL
from online.replay import read_state
from online.routes.readiness import models_ready, refused_versions
from online.state import Server


async def ops(server: Server) -> dict[str, Any]:
    """Bounded: Redis and the watch are asked at once, each within its own time; what does not answer is None, and why stands
    beside it."""
    sight = await server.job.look()
    flow, trouble = await server.watch.sight()
    return {
        "asked_at": time.time_ns() // 1_000_000,
        "clock": server.clock.now(),
        "ready": {
            "redis": sight is not None,
            "kafka": server.log.connected,
            "models": models_ready(server),
            "items": server.follower.fresh,
        },
        "job": None if sight is None else _job(sight),
        "flow": flow,
        "flow_trouble": trouble,
        "api": _api(),
        "models": _models(server),
        "experiments": _experiments(server),
        "settings": {file.name: file.error for file in (server.weights, server.serving, server.access)},
        "replay": _replay(server),
    }


def _job(sight: JobSight) -> dict[str, Any]:
    lanes = sight.lanes.values()
    fresh = {operator: FreshnessHistogram() for operator in OPERATORS}
    for (operator, _), histogram in sight.writers.items():
        fresh[operator] = fresh[operator].merge(histogram)
    return {
        "read": sum(lane.read for lane in lanes),
        "verdicts": {name: sum(lane.count(name) for lane in lanes) for name in VERDICTS},
        "served_read": sum(lane.served_read for lane in lanes),
        "served_verdicts": {name: sum(lane.served_count(name) for lane in lanes) for name in SERVED_VERDICTS},
        "balanced": all(lane.balanced for lane in lanes),
        "samples": sum(lane.samples for lane in lanes),
        "open_lists": sum(lane.open_lists for lane in lanes),
        "watermark_ms": max((lane.watermark_ms for lane in lanes), default=0) or None,
        "freshness": {
            "bounds_ms": BUCKETS_MS,
            **{name: {"counts": each.counts, "count": each.count} for name, each in fresh.items()},
        },
    }


def _labelled(metric: Counter | Gauge, label: str) -> dict[str, float]:
    """A metric's values by one of its labels, added up over the others."""
    found: dict[str, float] = defaultdict(float)
    for family in metric.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found[sample.labels[label]] += sample.value
    return dict(found)


def _single(metric: Counter | Gauge) -> float:
    return sum(
        sample.value for family in metric.collect() for sample in family.samples if not sample.name.endswith("_created")
    )


def _api() -> dict[str, Any]:
    """Counted since this process started."""
    return {
        "accepted": _labelled(metrics.EVENTS, "type"),
        "degraded": _labelled(metrics.DEGRADED, "what"),
        "statuses": _labelled(metrics.REQUESTS, "status"),
        "lists_logged": _single(metrics.SERVED_SENT),
        "lists_dropped": _labelled(metrics.SERVED_DROPPED, "reason"),
        "streams": _single(metrics.STREAMS),
    }


def _models(server: Server) -> dict[str, Any]:
    return {
        "default": server.settings.default_model,
        "ranking": [
            {
                "name": model.name,
                "version": model.version,
                "metrics": model.manifest.metrics,
                "created": model.manifest.created,
            }
            for model in server.models.all()
        ],
        "refused": refused_versions(server),
    }


def _experiments(server: Server) -> list[dict[str, Any]]:
    """Each experiment with its arms, whoever no arm takes being in `control`; lists and outcomes since this process started."""
    lists, acted = _by_arm(metrics.LISTS), _by_arm(metrics.ACTED)
    found = []
    for experiment in server.serving.value.experiments:
        shares = {name: arm.share for name, arm in experiment.arms.items()}
        arms = {**shares, CONTROL: max(0.0, round(1 - sum(shares.values()), 9))}
        found.append(
            {
                "name": experiment.name,
                "layer": experiment.layer,
                "arms": [
                    {
                        "name": arm,
                        "share": share,
                        "policy": msgspec.to_builtins(experiment.arms[arm].policy) if arm in experiment.arms else {},
                        "lists": lists.get((experiment.name, arm, ""), 0),
                        "acted": acted.get((experiment.name, arm, "acted"), 0),
                        "liked": acted.get((experiment.name, arm, "liked"), 0),
                    }
                    for arm, share in arms.items()
                ],
            }
        )
    return found


def _by_arm(metric: Counter) -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["experiment"], sample.labels["arm"], sample.labels.get("outcome", "")): sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def _replay(server: Server) -> dict[str, Any] | None:
    """None where no supervisor would carry one out."""
    if server.settings.control is None:
        return None
    state = read_state(Path(server.settings.control))
    return None if state is None else msgspec.to_builtins(state)
