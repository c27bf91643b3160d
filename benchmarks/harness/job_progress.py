"""The job's progress, read from the lanes' hashes in Redis, which the job writes together with the features."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.engines.flink_cluster import Cluster
from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.errors import BadInput, Broken, Unavailable
from features.keys import EVENTS, N, item_key, pairs_key
from features.store.job_status import VERDICTS, lane_keys, read_lanes
from features.types import Millis
from infra.system.times import show_time
from infra.verify.recompute import KafkaReader

POLL, ITEMS_POLL = 0.02, 0.1
PAIRS_QUIET = 2.0
STALLED = 300.0
"""Seconds without progress after which the job has failed; a start takes some of them."""


def log_ends(kafka: KafkaAddress) -> list[int]:
    """Returns the end offset of each partition of `events`."""
    ends = KafkaReader(kafka).ends()
    return [ends[EVENTS, lane] for lane in range(kafka.partitions)]


def folded(nodes: RedisNodes, lanes: int) -> list[int]:
    """Returns the next offset of each lane, with features written up to it; 0 before the first record."""
    pipe = nodes.pipeline()
    for key in lane_keys(lanes):
        pipe.add("hget", key, N)
    return [int(value or 0) for value in pipe.execute()]


def ledger(nodes: RedisNodes, lanes: int) -> dict[str, int]:
    """Returns the number of records of `events` with each of the VERDICTS, over all lanes."""
    pipe = nodes.pipeline()
    for key in lane_keys(lanes):
        pipe.add("hgetall", key)
    found = read_lanes(pipe.execute()).values()
    return {verdict: sum(lane.count(verdict) for lane in found) for verdict in VERDICTS}


def newest_event(nodes: RedisNodes, lanes: int) -> Millis:
    """Returns when the newest event of the log was that has been folded, by its own time; 0 where none has been."""
    pipe = nodes.pipeline()
    for key in lane_keys(lanes):
        pipe.add("hgetall", key)
    return max((lane.watermark_ms for lane in read_lanes(pipe.execute()).values()), default=0)


def refuse_what_is_known(home: Path, known_to: Millis, start: Millis) -> None:
    """Raise BadInput where a home knows events from `start` on: it would be asked for what it has been told. known_to: when the
    newest event that it knows was."""
    if known_to >= start:
        raise BadInput(
            "--home",
            f"a home that knows nothing of what comes from {show_time(start)} UTC on: one made anew, of the earlier part alone",
            f"{home}, which knows what happened up to {show_time(known_to)} UTC",
        )


def contributions(nodes: RedisNodes, items: Sequence[int]) -> tuple[int, int]:
    """Returns the number of contributions in the features of `items`, and of co-visits in their pairs, as written."""
    pipe = nodes.pipeline()
    for key in (item_key, pairs_key):
        for item_id in items:
            pipe.add("hget", key(item_id), N)
    held = [int(value or 0) for value in pipe.execute()]
    return sum(held[: len(items)]), sum(held[len(items) :])


@dataclass
class Timeline:
    """Samples of the number of folded records: (monotonic seconds, records), only where it changed."""

    samples: list[tuple[float, int]] = field(default_factory=list)
    users_done: float = 0.0
    items_done: float | None = None

    def add(self, at: float, records: int) -> None:
        if not self.samples or records > self.samples[-1][1]:
            self.samples.append((at, records))

    @property
    def end(self) -> float:
        return max(self.users_done, self.items_done or 0.0)

    def rate(self, start: float = 0.0) -> float:
        """Returns records a second, from the time when the share `start` of all was folded to the end.

        The first sample marks the start of folding, so the records that were folded by then are not counted.
        """
        total = self.samples[-1][1]
        at, records = next(sample for sample in self.samples if sample[1] > 0 and sample[1] >= start * total)
        return (total - records) / (self.end - at) if self.end > at else float("inf")


class JobFollower(threading.Thread):
    """Follows the job until it has folded the log up to `ends` and, if `items` are given, their features include all of it."""

    def __init__(
        self, address: RedisAddress, ends: Sequence[int], items: Sequence[int] | None, cluster: Cluster
    ) -> None:
        super().__init__(name="watch", daemon=True)
        self._nodes = RedisNodes(address, 10)
        self._ends, self._items, self._cluster = list(ends), items, cluster
        self._timeline = Timeline()
        self._error: Exception | None = None
        self._ended = threading.Event()

    @property
    def records(self) -> int:
        """How many records were folded when it looked last."""
        samples = self._timeline.samples
        return samples[-1][1] if samples else 0

    def run(self) -> None:
        try:
            self._follow_users()
            if self._items is not None:
                self._follow_items(self._items)
        except Exception as error:  # raised by `result`
            self._error = error

    def _follow_users(self) -> None:
        changed_at, before = time.monotonic(), -1
        while not self._ended.wait(POLL):
            lanes = folded(self._nodes, len(self._ends))
            now, records = time.monotonic(), sum(lanes)
            if records > 0:
                self._timeline.add(now, records)
            if all(lane >= end for lane, end in zip(lanes, self._ends, strict=True)):
                self._timeline.users_done = now
                return
            if records != before:
                changed_at, before = now, records
            elif now - changed_at > STALLED:
                raise Unavailable(
                    f"the job stands at {lanes} of {self._ends} since {STALLED:.0f} s; {self._cluster.exceptions()}"
                )

    def _follow_items(self, items: Sequence[int]) -> None:
        """Items are done with as many contributions as events were applied; pairs, whose number is unknown, once they have not
        changed for longer than the job buffers changes."""
        expected = ledger(self._nodes, len(self._ends))["applied"]
        changed_at, before = time.monotonic(), (-1, -1)
        while not self._ended.wait(ITEMS_POLL):
            held, covisits = contributions(self._nodes, items)
            now = time.monotonic()
            if held > expected:
                raise Broken(f"the items hold {held} contributions, {expected} events were applied")
            if (held, covisits) != before:
                changed_at, before = now, (held, covisits)
            elif held == expected and now - changed_at > PAIRS_QUIET:
                self._timeline.items_done = changed_at
                return
            elif now - changed_at > STALLED:
                raise Unavailable(
                    f"the items hold {held} of {expected} contributions since {STALLED:.0f} s; {self._cluster.exceptions()}"
                )

    def result(self, timeout: float) -> Timeline:
        """Wait for the end; returns the timeline. Raises the follower's error, or Unavailable after `timeout` seconds."""
        self.join(timeout)
        late = self.is_alive()
        self._ended.set()
        self.join(30)
        self._nodes.close()
        if self._error is not None:
            raise self._error
        if late:
            raise Unavailable(f"the log was not folded within {timeout:.0f} s")
        return self._timeline
