"""A snapshot of the data flow: the log's end, how far the job has folded it, the job's state. Pure;
infra.monitoring.collector takes one.

Values that a service did not report are None, with the service in `failures`; everything derived from them is None, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from features.keys import EVENTS, SERVED
from features.store.freshness import FreshnessHistogram
from features.store.job_status import SERVED_VERDICTS, VERDICTS, Lane
from infra.monitoring.host import Host

KAFKA, REDIS, FLINK = "kafka", "redis", "flink"
API, MODEL_SERVER = "api", "model_server"


@dataclass(frozen=True)
class Topic:
    """First and next offset by partition."""

    begin: tuple[int, ...]
    end: tuple[int, ...]


@dataclass(frozen=True)
class Vertex:
    """One task of the job, with shares of time (0 … 1) of its worst subtask; None: not measured yet."""

    name: str
    parallelism: int
    busy: float | None = None
    backpressured: float | None = None


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints of the running job; a job that is submitted again counts from 0. Times are wall time in ms."""

    completed: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    failure: str = ""
    completed_at: int | None = None
    duration_ms: int | None = None
    state_bytes: int | None = None


@dataclass(frozen=True)
class Job:
    """The Flink job. `state` is Flink's own term; `restarted_at`: when its tasks failed last, ms of Flink's
    clock; `restarts` is None until Flink has counted, which takes it some 10 s; `collecting`: the share of time in which Java
    collects garbage, of the TaskManager that does most."""

    id: str
    state: str
    started_at: int
    tasks: int
    tasks_running: int
    restarted_at: int | None = None
    restarts: int | None = None
    checkpoints: Checkpoints = Checkpoints()
    collecting: float | None = None
    vertices: tuple[Vertex, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether every task runs."""
        return self.state == "RUNNING" and self.tasks_running == self.tasks > 0


@dataclass(frozen=True)
class Snapshot:
    """
    taken_at    wall time, ms
    clock       the home's clock, ms of event time
    log         by topic; missing topics are omitted
    lanes       by number, of the home's generation alone; lanes that have folded nothing are omitted
    fresh       by (operator, subtask), since that writer started
    waiting     broker time of the oldest pending event by lane, ms; empty if it could not be read in time
    job         None also where Flink has none: then "flink" is not in `failures`
    failures    service → why it could not be queried
    probed   servers that were to answer, beside Kafka, Redis and Flink
    host        the machine that watches
    learning    what a learner has learned (`infra.learning.learner_view.learning_report`); None where nothing learns
    """

    taken_at: int
    clock: int
    log: dict[str, Topic] | None = None
    lanes: dict[int, Lane] | None = None
    fresh: dict[tuple[str, int], FreshnessHistogram] | None = None
    waiting: dict[int, int] = field(default_factory=dict)
    job: Job | None = None
    failures: dict[str, str] = field(default_factory=dict)
    probed: tuple[str, ...] = ()
    host: Host = field(default_factory=Host)
    learning: Mapping[str, Any] | None = None

    def next_offset(self, topic: str, partition: int) -> int:
        """Returns the offset at which the job goes on; the partition's first if it has folded nothing."""
        assert self.log is not None
        assert self.lanes is not None
        lane = self.lanes.get(partition)
        done = 0 if lane is None else lane.next_offset if topic == EVENTS else lane.served_next
        return max(done, self.log[topic].begin[partition])

    def pending_by_lane(self, topic: str) -> list[int] | None:
        """Returns the number of records acknowledged but not folded, by partition. The log was read before the lanes, so each of
        them has waited at least that long."""
        if self.log is None or self.lanes is None or topic not in self.log:
            return None
        return [max(0, end - self.next_offset(topic, number)) for number, end in enumerate(self.log[topic].end)]

    def pending(self, topic: str) -> int | None:
        by_lane = self.pending_by_lane(topic)
        return None if by_lane is None else sum(by_lane)

    @property
    def watermark_ms(self) -> int | None:
        """Event time up to which features are complete: that of the slowest lane with pending events, or, if none are pending, of
        the newest event. (An idle lane does not hold it back.) None before the first event."""
        if self.lanes is None:
            return None
        pending = self.pending_by_lane(EVENTS) or []
        behind = [lane for number, lane in self.lanes.items() if number < len(pending) and pending[number]]
        times = [lane.watermark_ms for lane in behind or self.lanes.values() if lane.watermark_ms]
        return (min if behind else max)(times, default=None)

    @property
    def event_time_lag_ms(self) -> int | None:
        """The home's clock less the watermark. While nothing is pending it is only the age of the newest event."""
        watermark = self.watermark_ms
        return None if watermark is None else max(0, self.clock - watermark)

    @property
    def broker_lag_ms(self) -> int | None:
        """How long the oldest pending event has waited since its broker time, ms; 0 if none is pending."""
        pending = self.pending(EVENTS)
        if not pending:
            return pending
        return max(0, self.taken_at - min(self.waiting.values())) if self.waiting else None

    def ledger(self) -> dict[str, int] | None:
        """Returns the sum of the lanes' ledgers of `events`: "read" and each verdict."""
        return self._totals(("read", *VERDICTS))

    def served_ledger(self) -> dict[str, int] | None:
        """Returns the sum of the lanes' ledgers of `served`, names without the prefix."""
        totals = self._totals(tuple(f"served_{name}" for name in ("read", *SERVED_VERDICTS)))
        return None if totals is None else {name.removeprefix("served_"): count for name, count in totals.items()}

    def total(self, name: str) -> int | None:
        totals = self._totals((name,))
        return None if totals is None else totals[name]

    def _totals(self, names: tuple[str, ...]) -> dict[str, int] | None:
        if self.lanes is None:
            return None
        return {name: sum(getattr(lane, name) for lane in self.lanes.values()) for name in names}

    def imbalance(self) -> dict[int, str]:
        """Returns the lanes whose ledger does not add up, with the reason. Offsets count every record of a partition, so the
        records read are those from the log's first to the lane's offset."""
        found = {}
        for number, lane in (self.lanes or {}).items():
            offsets = [(EVENTS, lane.next_offset, lane.read), (SERVED, lane.served_next, lane.served_read)]
            if not lane.balanced:
                found[number] = "the verdicts do not add up to what was read"
                continue
            for topic, next_offset, read in offsets:
                # Records that a shortened log no longer holds may have been read before, or not: both are right.
                first = self.log[topic].begin[number] if self.log is not None and topic in self.log else next_offset
                if not next_offset - first <= read <= next_offset:
                    found[number] = f"{read} read of {topic}, which is at offset {next_offset}"
        return found

    @property
    def checkpoint_age_ms(self) -> int | None:
        """Milliseconds since the running job's newest complete checkpoint; None if it has none."""
        done = self.job.checkpoints.completed_at if self.job is not None else None
        return None if done is None else max(0, self.taken_at - done)

    def freshness(self, operator: str) -> FreshnessHistogram | None:
        """Returns the merged histogram of all writers of an operator, since they started."""
        if self.fresh is None:
            return None
        total = FreshnessHistogram()
        for (name, _), histogram in self.fresh.items():
            if name == operator:
                total = total.merge(histogram)
        return total


def latest(snapshots: Sequence[Snapshot], ms: int) -> list[Snapshot]:
    """Returns the snapshots of the last `ms`, oldest first, the newest included."""
    now = snapshots[-1].taken_at
    return [snapshot for snapshot in snapshots if 0 <= now - snapshot.taken_at <= ms]


def latest_spanning(snapshots: Sequence[Snapshot], ms: int) -> list[Snapshot]:
    """Returns the newest snapshots, as many as span `ms`; empty while there are not so many."""
    since = snapshots[-1].taken_at - ms
    spanning = (number for number in range(len(snapshots) - 1, -1, -1) if snapshots[number].taken_at <= since)
    first = next(spanning, None)
    return [] if first is None else list(snapshots[first:])


def freshness_between(snapshots: Sequence[Snapshot], operator: str) -> FreshnessHistogram | None:
    """Returns what an operator's writers counted between the first of these snapshots and the last; None if the last has no data.
    A writer is compared with the first snapshot that includes it."""
    now = snapshots[-1].fresh
    if now is None:
        return None
    total = FreshnessHistogram()
    for key, histogram in now.items():
        if key[0] == operator:
            before = next(
                snapshot.fresh[key] for snapshot in snapshots if snapshot.fresh is not None and key in snapshot.fresh
            )
            total = total.merge(histogram.since(before))
    return total
