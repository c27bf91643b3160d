"""Health overview of a home from live metrics: the body of GET /v1/ops, which ops.html shows."""

import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client import Counter, Gauge
from prometheus_client.core import Metric

from features.statistics.interleaving import InterleavingVerdict
from features.store.freshness import BUCKETS_MS, FreshnessHistogram
from features.store.job_status import OPERATORS, SERVED_VERDICTS, VERDICTS
from online.monitoring.job_metrics import JobSnapshot
from online.monitoring.replay_control import ReplayState, read_state
from online.ranking.policy import CONTROL
from online.routes.health import Dependencies
from online.routes.models import UNLABELLED, RefusedVersion, models_ready, refused_versions
from online.server import Server
from online.support import metrics

Families = Mapping[str, Metric]
"""The API's metrics over all processes, by the names of their families."""
MAX_DECISIONS: Final = 20
"""Decisions about versions that the overview has."""


class Histogram(msgspec.Struct, frozen=True):
    """counts: writes by bucket, the last one above all bounds; count: of all buckets."""

    counts: list[int]
    count: int


class JobFreshness(msgspec.Struct, frozen=True, kw_only=True):
    """Broker's acknowledgement to features readable, by operator; bounds_ms: upper bounds of the buckets."""

    bounds_ms: tuple[int, ...]
    users: Histogram
    items: Histogram


class JobOverview(msgspec.Struct, frozen=True, kw_only=True):
    """The job's ledger over all lanes: `read` is the sum of `verdicts` where `balanced`."""

    read: int
    verdicts: dict[str, int]
    served_read: int
    served_verdicts: dict[str, int]
    balanced: bool
    samples: int
    open_lists: int
    watermark_ms: int | None
    freshness: JobFreshness


class ApiOverview(msgspec.Struct, frozen=True, kw_only=True):
    """What the API's processes on this machine have counted since they started."""

    accepted: dict[str, float]
    degraded: dict[str, float]
    statuses: dict[str, float]
    lists_logged: float
    lists_dropped: dict[str, float]
    streams: float


class ModelOverview(msgspec.Struct, frozen=True, kw_only=True):
    """A model that ranks now, with its metrics at training."""

    name: str
    version: int
    metrics: dict[str, float]
    created: int
    labels: dict[str, int]


class DecisionOverview(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge decided about a model's versions, or somebody by hand, when (ms), and on what evidence."""

    model: str
    ts: int
    text: str


class ModelsOverview(msgspec.Struct, frozen=True, kw_only=True):
    """The models that rank, the newest decisions about versions, the newest first, and the versions that were refused. `default`
    ranks where none is named."""

    default: str
    ranking: list[ModelOverview]
    decisions: list[DecisionOverview]
    refused: list[RefusedVersion]


class ArmOverview(msgspec.Struct, frozen=True, kw_only=True):
    """An arm's share of the users, the fields of the policy that it changes, its lists, and how many were acted on and liked."""

    name: str
    share: float
    policy: dict[str, Any]
    lists: float
    acted: float
    liked: float


class ExperimentOverview(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment with its arms, whoever no arm takes being in `control`; counted since the API started."""

    name: str
    layer: str
    arms: list[ArmOverview]


class OpsOverview(msgspec.Struct, frozen=True, kw_only=True):
    """Health of the home. job: null while Redis is down; flow: the newest snapshot of the supervisor's monitor, with what is
    still being prepared during a start (`preparing`) and what of it failed (`failed_steps`), or null with the reason in
    `flow_trouble`; settings: by file, why its newest content was rejected, else null; replay: null where no supervisor executes
    replays."""

    asked_at: int
    clock: int
    ready: Dependencies
    job: JobOverview | None
    flow: dict[str, Any] | None
    flow_trouble: str | None
    api: ApiOverview
    models: ModelsOverview
    experiments: list[ExperimentOverview]
    interleaved: list[InterleavingVerdict]
    settings: dict[str, str | None]
    replay: ReplayState | None


async def ops(server: Server) -> OpsOverview:
    """The overview. Redis and the monitor each have a timeout; parts that do not respond are None, with the reason."""
    snapshot = await server.job_metrics.read()
    flow, trouble = await server.monitor.snapshot()
    families = {each.name: each for each in server.metrics.collect()}
    return OpsOverview(
        asked_at=time.time_ns() // 1_000_000,
        clock=server.clock.now(),
        ready=Dependencies(
            redis=snapshot is not None,
            kafka=await server.event_log.answers(),
            models=models_ready(server),
            items=server.items_followed,
        ),
        job=None if snapshot is None else _job(snapshot),
        flow=flow,
        flow_trouble=trouble,
        api=_api(families),
        models=_models(server),
        experiments=_experiments(server, families),
        interleaved=server.interleaved.verdicts(),
        settings={file.name: file.error for file in server.reloaded},
        replay=_replay(server),
    )


def _job(snapshot: JobSnapshot) -> JobOverview:
    lanes = snapshot.lanes.values()
    fresh = {operator: FreshnessHistogram() for operator in OPERATORS}
    for (operator, _), histogram in snapshot.writers.items():
        fresh[operator] = fresh[operator].merge(histogram)
    return JobOverview(
        read=sum(lane.read for lane in lanes),
        verdicts={name: sum(lane.count(name) for lane in lanes) for name in VERDICTS},
        served_read=sum(lane.served_read for lane in lanes),
        served_verdicts={name: sum(lane.served_count(name) for lane in lanes) for name in SERVED_VERDICTS},
        balanced=all(lane.balanced for lane in lanes),
        samples=sum(lane.samples for lane in lanes),
        open_lists=sum(lane.open_lists for lane in lanes),
        watermark_ms=max((lane.watermark_ms for lane in lanes), default=0) or None,
        freshness=JobFreshness(
            bounds_ms=BUCKETS_MS, **{name: Histogram(each.counts, each.count) for name, each in fresh.items()}
        ),
    )


def _samples(families: Families, metric: Counter | Gauge) -> list[tuple[dict[str, str], float]]:
    """(labels, value) of a metric over all processes."""
    family = families[metrics.name_of(metric)]
    return [(each.labels, each.value) for each in family.samples if not each.name.endswith("_created")]


def _labelled(families: Families, metric: Counter | Gauge, label: str) -> dict[str, float]:
    """A metric's values by one of its labels, added up over the others."""
    found: dict[str, float] = defaultdict(float)
    for labels, value in _samples(families, metric):
        found[labels[label]] += value
    return dict(found)


def _single(families: Families, metric: Counter | Gauge) -> float:
    return sum(value for _, value in _samples(families, metric))


def _api(families: Families) -> ApiOverview:
    return ApiOverview(
        accepted=_labelled(families, metrics.EVENTS, "type"),
        degraded=_labelled(families, metrics.DEGRADED, "what"),
        statuses=_labelled(families, metrics.REQUESTS, "status"),
        lists_logged=_single(families, metrics.SERVED_SENT),
        lists_dropped=_labelled(families, metrics.SERVED_DROPPED, "reason"),
        streams=_single(families, metrics.STREAMS),
    )


def _models(server: Server) -> ModelsOverview:
    return ModelsOverview(
        default=server.settings.default_model,
        ranking=[
            ModelOverview(
                name=model.name,
                version=model.version,
                metrics=model.manifest.metrics,
                created=model.manifest.created,
                labels=(server.models.labels(model.name) or UNLABELLED).named(),
            )
            for model in server.models.all()
        ],
        decisions=_decisions(server),
        refused=refused_versions(server),
    )


def _decisions(server: Server) -> list[DecisionOverview]:
    found = [
        DecisionOverview(model=model.name, ts=decision.ts, text=decision.text)
        for model in server.models.all()
        for decision in (server.models.labels(model.name) or UNLABELLED).decisions
    ]
    return sorted(found, key=lambda each: each.ts, reverse=True)[:MAX_DECISIONS]


def _experiments(server: Server, families: Families) -> list[ExperimentOverview]:
    lists, acted = _by_arm(families, metrics.LISTS), _by_arm(families, metrics.ACTED)
    found = []
    for experiment in server.serving.value.experiments:
        shares = {name: arm.share for name, arm in experiment.arms.items()}
        arms = {**shares, CONTROL: max(0.0, round(1 - sum(shares.values()), 9))}
        overviews = [
            ArmOverview(
                name=arm,
                share=share,
                policy=experiment.arms[arm].policy if arm in experiment.arms else {},
                lists=lists.get((experiment.name, arm, ""), 0),
                acted=acted.get((experiment.name, arm, "acted"), 0),
                liked=acted.get((experiment.name, arm, "liked"), 0),
            )
            for arm, share in arms.items()
        ]
        found.append(ExperimentOverview(name=experiment.name, layer=experiment.layer, arms=overviews))
    return found


def _by_arm(families: Families, metric: Counter) -> dict[tuple[str, str, str], float]:
    return {
        (labels["experiment"], labels["arm"], labels.get("outcome", "")): value
        for labels, value in _samples(families, metric)
    }


def _replay(server: Server) -> ReplayState | None:
    """State of the newest replay; None where no supervisor executes replays."""
    return None if server.settings.control is None else read_state(Path(server.settings.control))
