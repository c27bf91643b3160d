"""Prometheus metrics of the API."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
    "Shown lists that were not logged, by reason: full (of the queue), kafka, stopped, error; "
    "and those logged without features that were too large: features.",
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
