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
CONNECTIONS_CLOSED = Counter(
    "martlet_connections_closed_total",
    "Connections closed because no request came on them (silent), to make room for another (room), or because all others were "
    "busy (full).",
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
