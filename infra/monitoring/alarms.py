"""Named alarms, derived from the last minute's snapshots. Pure; infra.monitoring.monitor evaluates them every few seconds.

Each name occurs once here, once in docs/operating.md and once in infra/dashboards/alerts.yml (a test compares them).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from features.keys import EVENTS, SERVED
from features.store.job_status import OPERATORS
from features.units import DAY_MS, MINUTE_MS
from infra.flink.checkpoints import INTERVAL_S
from infra.monitoring.snapshot import (
    API,
    FLINK,
    KAFKA,
    MODEL_SERVER,
    REDIS,
    Snapshot,
    freshness_between,
    latest,
    latest_spanning,
)

WINDOW_MS = MINUTE_MS
NOT_RUNNING_MS = 30_000
"""A start or a restart may take that long."""
CHECKPOINT_MS = 3 * 1000 * INTERVAL_S
FAILED_IN_A_ROW = 2
COLLECTING_MS = 20_000
COLLECTING = 0.5
"""Of a minute, over which Flink takes the mean: a Java whose memory suffices takes some hundredths for it."""
GROWING_MS = 30_000
GROWING_BY = 100
STALE_MS = 1_000
FULL_SHARE, FULL_BYTES = 0.05, 10 << 30
"""A disk is nearly full with less free than the smaller of the two: the share of it, the bytes."""
RUNS_OUT_MS = 14 * DAY_MS
ENOUGH = 100
"""With fewer writes in a minute than this a 99th percentile means little: the median is tested instead."""


@dataclass(frozen=True)
class Alarm:
    name: str
    text: str


Snapshots = Sequence[Snapshot]
"""Oldest first, the newest last; at least one."""


def _job_not_running(snapshots: Snapshots) -> str | None:
    now = snapshots[-1]
    if FLINK in now.failures:
        return None
    if now.job is None:
        return "Flink has no job"
    if now.job.state in {"FAILED", "CANCELED", "FINISHED", "SUSPENDED", "CANCELLING"}:
        return f"the job is {now.job.state}"
    recent = latest_spanning(snapshots, NOT_RUNNING_MS)
    if recent and not any(
        FLINK in snapshot.failures or (snapshot.job is not None and snapshot.job.runs) for snapshot in recent
    ):
        return (
            f"for 30 s the job has been {now.job.state} with {now.job.tasks_running} of {now.job.tasks} tasks running"
        )
    return None


def _job_restarting(snapshots: Snapshots) -> str | None:
    now = snapshots[-1].job
    if now is None:
        return None
    if now.state in {"RESTARTING", "FAILING"}:
        return f"the job is {now.state}"
    jobs = [snapshot.job for snapshot in snapshots if snapshot.job is not None]
    if any(job.id != now.id for job in jobs):
        return "the job was submitted again within the last minute"
    if any(job.restarted_at != now.restarted_at for job in jobs):  # by Flink's clock, which may be another machine's
        return "the job restarted within the last minute"
    return None


def _state_outgrows_memory(snapshots: Snapshots) -> str | None:
    recent = latest_spanning(snapshots, COLLECTING_MS) if snapshots[-1].job is not None else None
    shares = [snapshot.job.collecting for snapshot in recent or () if snapshot.job is not None]
    if not shares or any(share is None or share < COLLECTING for share in shares):
        return None
    return f"for {COLLECTING_MS // 1000} s a TaskManager has spent more than half of its last minute on looking for free memory"


def _unreachable(service: str) -> Callable[[Snapshots], str | None]:
    return lambda snapshots: snapshots[-1].failures.get(service)


def _silent(server: str) -> Callable[[Snapshots], str | None]:
    def check(snapshots: Snapshots) -> str | None:
        recent = latest_spanning(snapshots, NOT_RUNNING_MS)
        if not recent or not all(server in snapshot.failures for snapshot in recent):
            return None
        return f"for {NOT_RUNNING_MS // 1000} s no answer: {recent[-1].failures[server]}"

    return check


def _checkpoint_overdue(snapshots: Snapshots) -> str | None:
    now, job = snapshots[-1], snapshots[-1].job
    if job is None or job.state != "RUNNING":
        return None
    checkpoints = job.checkpoints
    if checkpoints.failed_in_a_row >= FAILED_IN_A_ROW:
        why = f": {checkpoints.failure.rstrip('.')}" if checkpoints.failure else ""
        return f"the last {checkpoints.failed_in_a_row} checkpoints failed{why}"
    age = now.taken_at - max(checkpoints.completed_at or 0, job.started_at)
    if age > CHECKPOINT_MS and _reads(snapshots):
        return f"no checkpoint has been completed for {age / 1000:.0f} s"
    return None


def _reads(snapshots: Snapshots) -> bool:
    """Returns whether the job has read anything that a checkpoint should hold; True if unknown."""
    now = snapshots[-1]
    read = now.total("read"), now.total("served_read")
    if None in read:
        return True
    if any(now.pending(topic) for topic in (EVENTS, SERVED)):
        return True
    return any((snapshot.total("read"), snapshot.total("served_read")) != read for snapshot in snapshots)


def _pending_growing(snapshots: Snapshots) -> str | None:
    recent = latest_spanning(snapshots, GROWING_MS)
    for topic, counted in ((EVENTS, "read"), (SERVED, "served_read")):
        pending = [snapshot.pending(topic) for snapshot in recent]
        known = [count for count in pending if count is not None]
        if not known or len(known) < len(pending) or not all(known):
            continue
        if recent[0].total(counted) == recent[-1].total(counted):
            return f"{known[-1]} records of {topic} are pending and none was read for 30 s"
        rises = all(after >= before for before, after in pairwise(known))
        if rises and known[-1] - known[0] >= GROWING_BY:
            return f"{known[-1]} records of {topic} are pending, {known[-1] - known[0]} more than 30 s ago"
    return None


def _ledger_unbalanced(snapshots: Snapshots) -> str | None:
    for lane, how in sorted(snapshots[-1].imbalance().items()):
        return f"lane {lane}: {how}"
    return None


def _lists_closed_early(snapshots: Snapshots) -> str | None:
    risen = 0
    for number, lane in (snapshots[-1].lanes or {}).items():
        before = [each.lanes[number].closed_early for each in snapshots[:-1] if each.lanes and number in each.lanes]
        risen += max(0, lane.closed_early - min(before, default=lane.closed_early))
    return f"{risen} shown lists were closed within the last minute before their time was over" if risen else None


def _items_lost(snapshots: Snapshots) -> str | None:
    lost = max((lane.items_lost for lane in (snapshots[-1].lanes or {}).values()), default=0)
    return f"{lost} records of the topic items are gone that events were folded with" if lost else None


def _features_stale(snapshots: Snapshots) -> str | None:
    for operator in OPERATORS:
        minute = freshness_between(snapshots, operator)
        if minute is None or not minute.count:
            continue
        q, name = (0.99, "99 %") if minute.count >= ENOUGH else (0.5, "half")
        if (took := minute.quantile(q) or 0) > STALE_MS:
            return f"{name} of the last minute's {minute.count} writes of {operator} took up to {took / 1000:.1f} s"
    return None


def _disk_nearly_full(snapshots: Snapshots) -> str | None:
    host = snapshots[-1].host
    if host.free is None or host.size is None or host.free >= min(FULL_SHARE * host.size, FULL_BYTES):
        return None
    return f"{host.free / (1 << 30):.1f} GiB of {host.size / (1 << 30):.0f} are free where the home lies"


def _not_made_anew(snapshots: Snapshots) -> str | None:
    failed = (snapshots[-1].learning or {}).get("not_anew")
    return None if failed is None else f"given up in a row: {failed['given_up']}, the last time because {failed['why']}"


def _certificate_runs_out(snapshots: Snapshots) -> str | None:
    now, ends = snapshots[-1].taken_at, snapshots[-1].host.certificate_ends
    if ends is None or ends - now > RUNS_OUT_MS:
        return None
    if ends <= now:
        return "the API's certificate has run out: clients refuse it"
    return f"the API's certificate runs out in {(ends - now) // DAY_MS} days"


@dataclass(frozen=True)
class _Kind:
    """The condition of an alarm, and advice to the operator."""

    check: Callable[[Snapshots], str | None]
    advice: str


_KINDS = {
    "job_not_running": _Kind(
        _job_not_running,
        "`up` submits it again by itself; if that fails, logs/submit.log and logs/jobmanager.log say why",
    ),
    "job_restarting": _Kind(
        _job_restarting,
        "it goes on from its last checkpoint; Exceptions on Flink's page and logs/taskmanager-*.log say why",
    ),
    "state_outgrows_memory": _Kind(
        _state_outgrows_memory,
        "what is remembered of users and items no longer fits beside its work: `down`, then `up --state rocksdb`; or "
        "`features --from-log`, which lets go what is not needed, then `down` and `up`",
    ),
    "flink_unreachable": _Kind(
        _unreachable(FLINK), "`up` starts a dead JobManager again; if it comes and goes, read logs/jobmanager.log"
    ),
    "kafka_unreachable": _Kind(
        _unreachable(KAFKA),
        "no event is taken (503) until it is back; `up` starts a dead one again; read logs/kafka.log",
    ),
    "redis_unreachable": _Kind(
        _unreachable(REDIS),
        "lists come from the base's features, the job waits; read logs/redis.log, look at memory and disk",
    ),
    "api_unreachable": _Kind(
        _silent(API),
        "callers wait for lists; `up` starts a dead process again; of one that hangs look at its log, and kill it",
    ),
    "model_server_unreachable": _Kind(
        _silent(MODEL_SERVER),
        "lists by models that it ranks are ordered without a model; `up` starts a dead one again; of one that hangs look at "
        "logs/model-server.log, and kill it",
    ),
    "checkpoint_overdue": _Kind(
        _checkpoint_overdue,
        "a crash now reads the log again from the last one; look at the disk under flink/checkpoints",
    ),
    "pending_growing": _Kind(
        _pending_growing,
        "the job is slower than its input, or waits for Redis: `status` names the busy task and the other alarms",
    ),
    "ledger_unbalanced": _Kind(
        _ledger_unbalanced,
        "counts can't be trusted: run `verify`; if it finds a difference, keep the logs, then `down`, empty redis/, `up`",
    ),
    "lists_closed_early": _Kind(
        _lists_closed_early,
        "more lists are shown than the job holds open: acts that come later are missing in samples and experiments; shorten "
        "their time (`attribution`), or spread the users over more partitions in a new home",
    ),
    "items_lost": _Kind(
        _items_lost,
        "the topic was cut, or made anew: the job goes on with the items that are left; `rebuild` folds the whole log with them",
    ),
    "features_stale": _Kind(
        _features_stale,
        "features come too late for the next list: look for pending records, a restart, or a machine out of CPU",
    ),
    "disk_nearly_full": _Kind(
        _disk_nearly_full,
        "once it is full no event is taken, and no checkpoint completed: make room, or move the home to a larger disk",
    ),
    "not_made_anew": _Kind(
        _not_made_anew,
        "weights between items, embeddings and what models begin anew with stay as old as they are; logs/learner.log and "
        "logs/spark.log say why; it is tried again each night (`anew_hour`)",
    ),
    "certificate_runs_out": _Kind(
        _certificate_runs_out, "replace the files that api.certificate and api.key name: no restart is needed"
    ),
}
NAMES = tuple(_KINDS)


def evaluate(snapshots: Snapshots) -> list[Alarm]:
    """Returns the alarms that hold now. Snapshots more than a minute older than the newest are ignored."""
    return list(_alarms(latest(snapshots, WINDOW_MS)))


def _alarms(snapshots: Snapshots) -> Iterator[Alarm]:
    for name, kind in _KINDS.items():
        found = kind.check(snapshots)
        if found is not None:
            yield Alarm(name, f"{found}; {kind.advice}")
