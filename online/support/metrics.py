"""Prometheus metrics of the API."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

REQUESTS = Counter("martlet_requests_total", "Requests by route and status.", ["route", "status"], registry=REGISTRY)
SECONDS = Histogram(
    "martlet_request_seconds", "Time to answer, by route.", ["route"], buckets=_BUCKETS, registry=REGISTRY
)
EVENTS = Counter(
    "martlet_events_accepted_total", "Events acknowledged by the broker, by type.", ["type"], registry=REGISTRY
)
EVENTS_REFUSED = Counter("martlet_events_refused_total", "Events refused with 422.", registry=REGISTRY)
DEGRADED = Counter(
    "martlet_degraded_total", "Recommendations that missed something, by what.", ["what"], registry=REGISTRY
)
SERVED_SENT = Counter("martlet_served_sent_total", "Shown lists that the broker has acknowledged.", registry=REGISTRY)
SERVED_DROPPED = Counter(
    "martlet_served_dropped_total",
    "Shown lists that were not logged, by reason: full (of the queue), kafka, stopped, error.",
    ["reason"],
    registry=REGISTRY,
)
SHOWN_DROPPED = Counter(
    "martlet_shown_dropped_total",
    "Shown lists logged without all that they were made of, by reason: kafka, error; features: without features alone, which "
    "were too large.",
    ["reason"],
    registry=REGISTRY,
)
APPLIED = Histogram(
    "martlet_applied_seconds",
    "Broker's acknowledgement of a user's newest event to its features being readable, as seen by requests.",
    buckets=_BUCKETS,
    registry=REGISTRY,
)
ITEMS_FRESH = Gauge("martlet_items_followed", "1 while item features are followed live.", registry=REGISTRY)
CATALOGUE_CURRENT = Gauge(
    "martlet_catalogue_followed", "1 while the topic of items is read, and was read to its end.", registry=REGISTRY
)
NAMES_FORGOTTEN = Counter(
    "martlet_item_names_forgotten_total",
    "Ids of items that are strings, told by events and forgotten again before features came of them.",
    registry=REGISTRY,
)
BAD_SETTINGS = Gauge(
    "martlet_settings_refused", "1 while a settings file holds something wrong, by file.", ["file"], registry=REGISTRY
)
LISTS = Counter("martlet_lists_total", "Lists shown, by experiment and arm.", ["experiment", "arm"], registry=REGISTRY)
ACTED = Counter(
    "martlet_lists_acted_total",
    "Lists shown that were acted on, by experiment, arm and outcome: acted, in any way; liked, something of it.",
    ["experiment", "arm", "outcome"],
    registry=REGISTRY,
)
OUTCOMES_DROPPED = Counter(
    "martlet_outcomes_dropped_total",
    "Lists of experiments, and acts about them, that were not counted, since Redis was away for long.",
    registry=REGISTRY,
)
CATALOGUE_BEHIND = Counter(
    "martlet_catalogue_behind_total",
    "Requests answered before this process had read what another had changed of the catalogue.",
    registry=REGISTRY,
)
PROCESSES = Gauge(
    "martlet_api_processes", "API processes on this machine that publish their metrics.", registry=REGISTRY
)
SCORES_SENT = Counter(
    "martlet_scores_sent_total",
    "Records for the judge that the broker has acknowledged, by kind: list, of an interleaved one; shadow, of the ranks that a "
    "candidate gives.",
    ["kind"],
    registry=REGISTRY,
)
SCORES_DROPPED = Counter(
    "martlet_scores_dropped_total",
    "Records for the judge that were not logged, by reason: full (too many at once), kafka; busy: a candidate was still ranking "
    "beside another list.",
    ["reason"],
    registry=REGISTRY,
)
RANKS_IN_PROCESS = Gauge(
    "martlet_model_in_process",
    "1 while a model ranks in the API's process, 0 while the model server is asked, by model.",
    ["model"],
    registry=REGISTRY,
)
IN_PROCESS_FAILED = Counter(
    "martlet_in_process_failed_total",
    "Lists that a model could not rank in the API's process, and for which the model server was asked, by model.",
    ["model"],
    registry=REGISTRY,
)
STREAMS = Gauge("martlet_streams", "Open streams of lists.", registry=REGISTRY)
REFUSED_CALLS = Counter(
    "martlet_refused_calls_total",
    "Calls refused for their key or their number, by status.",
    ["status"],
    registry=REGISTRY,
)
LIMITED_ALONE = Counter(
    "martlet_calls_limited_alone_total",
    "Calls of callers with a limit that this process counted by itself, since Redis did not answer.",
    registry=REGISTRY,
)
CONNECTIONS_CLOSED = Counter(
    "martlet_connections_closed_total",
    "Connections closed because no request came on them (silent), to make room for another (room), because all others were busy "
    "(full), because their caller did not read (unread), or for a head of a request beyond the limit (head).",
    ["reason"],
    registry=REGISTRY,
)
SEEN_NOT_WAITED = Counter(
    "martlet_seen_not_waited_total",
    "Requests with a token whose events were not waited for, since too many requests waited already.",
    registry=REGISTRY,
)
UNREADABLE = Counter(
    "martlet_unreadable_total",
    "Values in Redis that can't be read, by what they should be: user, item.",
    ["what"],
    registry=REGISTRY,
)


def name_of(metric: Counter | Gauge) -> str:
    """The name of a metric's family, as it is collected."""
    return next(iter(metric.collect())).name


MERGED_BY: Final[Mapping[str, Callable[[float, float], float]]] = {
    name_of(ITEMS_FRESH): min,
    name_of(CATALOGUE_CURRENT): min,
    name_of(BAD_SETTINGS): max,
    name_of(RANKS_IN_PROCESS): min,
    name_of(PROCESSES): lambda own, other: own,
}
"""Family of gauges → its value over this process and another, where that is not the sum."""


def exposition(families: Iterable[Metric]) -> bytes:
    """Metric families in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(list(families)))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
