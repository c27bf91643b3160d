"""A sight of the flow: how far the log goes, how far the job has folded it, how the job fares. Pure;
infra.monitoring.collector makes one.

What a service did not answer is None here and named in `failures`; everything derived from it is None, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from features.keys import EVENTS, SERVED
from features.store.freshness import FreshnessHistogram
from features.store.job_status import SERVED_VERDICTS, VERDICTS, Lane

KAFKA, REDIS, FLINK = "kafka", "redis", "flink"


@dataclass(frozen=True)
class Topic:
    """First and next offset by partition."""

    begin: tuple[int, ...]
    end: tuple[int, ...]


@dataclass(frozen=True)
class Vertex:
    """One task of the job; shares of its time, 0 … 1, its worst subtask's. None: not measured yet."""

    name: str
    parallelism: int
    busy: float | None = None
    backpressured: float | None = None


@dataclass(frozen=True)
class Checkpoints:
    """Of the running job alone: a job that was submitted again counts anew. Times are wall time in ms."""

    completed: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    failure: str = ""
    completed_at: int | None = None
    duration_ms: int | None = None
    state_bytes: int | None = None


@dataclass(frozen=True)
class Job:
    """`state` is Flink's word for it; `restarts` None where Flink has not counted yet."""

    id: str
    state: str
    started_at: int
    tasks: int
    tasks_running: int
    restarts: int | None = None
    checkpoints: Checkpoints = Checkpoints()
    vertices: tuple[Vertex, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether it runs with every task."""
        return self.state == "RUNNING" and self.tasks_running == self.tasks > 0


@dataclass(frozen=True)
class Flow:
    """
    asked_at    wall time, ms
    clock       the home's clock, ms of event time
    log         by topic; a topic that is not there is left out
    lanes       by number, of the home's generation alone; one that has folded nothing is left out
    fresh       by (operator, subtask), since that writer started
    waiting     when the broker took the oldest pending event of a lane, ms; empty if it could not be read in time
    job         None where Flink has none, too: then "flink" is not in `failures`
    failures    service → why it could not be asked
    """

    asked_at: int
    clock: int
    log: dict[str, Topic] | None = None
    lanes: dict[int, Lane] | None = None
    fresh: dict[tuple[str, int], FreshnessHistogram] | None = None
    waiting: dict[int, int] = field(default_factory=dict)
    job: Job | None = None
    failures: dict[str, str] = field(default_factory=dict)

    def next_offset(self, topic: str, partition: int) -> int:
        """Where the job goes on; the partition's first record if it has folded none."""
        assert self.log is not None
        assert self.lanes is not None
        lane = self.lanes.get(partition)
        done = 0 if lane is None else lane.next_offset if topic == EVENTS else lane.served_next
        return max(done, self.log[topic].begin[partition])

    def pending_by_lane(self, topic: str) -> list[int] | None:
        """Records acknowledged and not folded yet, by partition. The log was asked before the lanes, so each of these
        waited at least that long."""
        if self.log is None or self.lanes is None or topic not in self.log:
            return None
        return [max(0, end - self.next_offset(topic, number)) for number, end in enumerate(self.log[topic].end)]

    def pending(self, topic: str) -> int | None:
        by_lane = self.pending_by_lane(topic)
        return None if by_lane is None else sum(by_lane)

    @property
    def watermark_ms(self) -> int | None:
        """Event time up to which features are made: that of the slowest lane with events pending, or, where none are, of the
        newest event of all. (An idle lane does not hold it back.) None before the first event."""
        if self.lanes is None:
            return None
        pending = self.pending_by_lane(EVENTS) or []
        behind = [lane for number, lane in self.lanes.items() if number < len(pending) and pending[number]]
        times = [lane.watermark_ms for lane in behind or self.lanes.values() if lane.watermark_ms]
        return (min if behind else max)(times, default=None)

    @property
    def event_time_lag_ms(self) -> int | None:
        """The home's clock less the watermark. While nothing is pending it says only how long ago the newest event was."""
        watermark = self.watermark_ms
        return None if watermark is None else max(0, self.clock - watermark)

    @property
    def broker_lag_ms(self) -> int | None:
        """How long the oldest pending event has waited, by the broker's time of it; 0 where none is pending."""
        pending = self.pending(EVENTS)
        if not pending:
            return pending
        return max(0, self.asked_at - min(self.waiting.values())) if self.waiting else None

    def ledger(self) -> dict[str, int] | None:
        """The lanes' ledgers of `events` added up: "read" and each verdict."""
        return self._totals(("read", *VERDICTS))

    def served_ledger(self) -> dict[str, int] | None:
        """The same of `served`, without the prefix."""
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
        """Lanes whose ledger does not add up, and how. Offsets count every record of a partition, so what was read is what
        lies between the log's first record and the lane's place in it."""
        found = {}
        for number, lane in (self.lanes or {}).items():
            places = [(EVENTS, lane.next_offset, lane.read), (SERVED, lane.served_next, lane.served_read)]
            if not lane.balanced:
                found[number] = "the verdicts do not add up to what was read"
                continue
            for topic, next_offset, read in places:
                # Records that a shortened log no longer holds may have been read before, or not: both are right.
                first = self.log[topic].begin[number] if self.log is not None and topic in self.log else next_offset
                if not next_offset - first <= read <= next_offset:
                    found[number] = f"{read} read of {topic}, which is at offset {next_offset}"
        return found

    @property
    def checkpoint_age_ms(self) -> int | None:
        """Since the running job's newest complete checkpoint; None if it has none."""
        done = self.job.checkpoints.completed_at if self.job is not None else None
        return None if done is None else max(0, self.asked_at - done)

    def freshness(self, operator: str) -> FreshnessHistogram | None:
        """All writers of an operator together, since they started."""
        if self.fresh is None:
            return None
        total = FreshnessHistogram()
        for (name, _), histogram in self.fresh.items():
            if name == operator:
                total = total.merge(histogram)
        return total


def latest(flows: Sequence[Flow], ms: int) -> list[Flow]:
    """The sights of the last `ms`, oldest first, the newest included."""
    now = flows[-1].asked_at
    return [flow for flow in flows if 0 <= now - flow.asked_at <= ms]


def within(flows: Sequence[Flow], ms: int) -> list[Flow]:
    """The same; empty while they do not reach back that far."""
    found = latest(flows, ms)
    return found if found[-1].asked_at - found[0].asked_at >= 0.8 * ms else []


def fresh_since(flows: Sequence[Flow], operator: str) -> FreshnessHistogram | None:
    """What the writers of an operator counted between the first of these sights and the last; None if the last does not know.
    A writer is compared with the first sight that knew it."""
    now = flows[-1].fresh
    if now is None:
        return None
    total = FreshnessHistogram()
    for key, histogram in now.items():
        if key[0] == operator:
            before = next(flow.fresh[key] for flow in flows if flow.fresh is not None and key in flow.fresh)
            total = total.merge(histogram.since(before))
    return total
