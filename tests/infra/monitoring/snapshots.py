"""Snapshots for tests, in which all is well."""

from typing import Any

import msgspec

from features.keys import DEFAULT_PARTITIONS, EVENTS, SERVED
from features.store.freshness import FreshnessHistogram
from features.store.job_status import Lane
from infra.monitoring.snapshot import Checkpoints, Job, Snapshot, Topic

NOW = 1_700_000_000_000
CLOCK = 889_000_000_000


def lane(read: int, **more: Any) -> Lane:
    """A lane that has read so many events, applied them all, and is up to date."""
    known = {"generation": 1, "next_offset": read, "read": read, "applied": read}
    return Lane(**(known | {"watermark_ms": CLOCK - 1_000, "broker_ms": NOW - 50} | more))


def changed(lane: Lane, **more: Any) -> Lane:
    return msgspec.structs.replace(lane, **more)


def topic(*ends: int) -> Topic:
    return Topic((0,) * DEFAULT_PARTITIONS, (*ends, *(0,) * (DEFAULT_PARTITIONS - len(ends))))


def job(at: int = NOW, **more: Any) -> Job:
    checkpoints = Checkpoints(completed=3, completed_at=at - 4_000, duration_ms=40, state_bytes=1000)
    known: dict[str, Any] = {"id": "a", "state": "RUNNING", "started_at": at - 600_000, "tasks": 3, "tasks_running": 3}
    return Job(**(known | {"restarts": 0, "checkpoints": checkpoints} | more))


def fresh(*times_ms: int) -> dict[tuple[str, int], FreshnessHistogram]:
    made = FreshnessHistogram()
    for ms in times_ms:
        made.add(ms)
    return {("users", 0): made}


def snapshot_at(at: int = NOW, **more: Any) -> Snapshot:
    """Two lanes, ten events in all, none pending."""
    known: dict[str, Any] = {
        "clock": CLOCK,
        "log": {EVENTS: topic(6, 4), SERVED: topic()},
        "lanes": {0: lane(6), 1: lane(4)},
        "fresh": fresh(3, 4),
        "job": job(at),
    }
    return Snapshot(at, **(known | more))


def series(*changes: dict[str, Any], every: int = 5_000) -> list[Snapshot]:
    """Snapshots in a row, the last at NOW."""
    first = NOW - every * (len(changes) - 1)
    return [snapshot_at(first + every * number, **change) for number, change in enumerate(changes)]
