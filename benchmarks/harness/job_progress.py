"""How far the job has come, read from Redis: the lanes' hashes that the job writes with the features themselves."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import redis

from benchmarks.harness.flink_cluster import Cluster
from features.errors import Broken, Unavailable
from features.keys import EVENTS, PARTITIONS, N, item_key, pairs_key
from features.store.job_status import VERDICTS, lane_keys, read_lanes
from infra.verify.recompute import read_log_ends

POLL, ITEMS_POLL = 0.02, 0.1
PAIRS_QUIET = 2.0
STALLED = 300.0
"""A job that folds nothing for that long, seconds, has failed. A start takes some of it."""


def log_ends(bootstrap: str) -> list[int]:
    """Where each partition of `events` ends."""
    ends = read_log_ends(bootstrap)
    return [ends[EVENTS, lane] for lane in range(PARTITIONS)]


def folded(client: "redis.Redis") -> list[int]:
    """How far each lane is folded, features written: the next offset of its partition; 0 before the first."""
    pipe = client.pipeline(transaction=False)
    for key in lane_keys():
        pipe.hget(key, N)
    return [int(value or 0) for value in pipe.execute()]


def ledger(client: "redis.Redis") -> dict[str, int]:
    """How many records of `events` all lanes together gave each of the VERDICTS."""
    pipe = client.pipeline(transaction=False)
    for key in lane_keys():
        pipe.hgetall(key)
    lanes = read_lanes(pipe.execute()).values()
    return {verdict: sum(lane.count(verdict) for lane in lanes) for verdict in VERDICTS}


def contributions(client: "redis.Redis", items: Sequence[int]) -> tuple[int, int]:
    """How many contributions the features of `items` hold, and how many co-visits their pairs, as written."""
    pipe = client.pipeline(transaction=False)
    for key in (item_key, pairs_key):
        for item_id in items:
            pipe.hget(key(item_id), N)
    held = [int(value or 0) for value in pipe.execute()]
    return sum(held[: len(items)]), sum(held[len(items) :])


@dataclass
class Timeline:
    """Samples of how many records were folded: (monotonic seconds, records), only where the number changed."""

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
        """Records a second, from the moment when the share `start` of all was folded to the end of all.

        The first samples say when folding began, so the records that were folded by then are not counted.
        """
        total = self.samples[-1][1]
        at, records = next(sample for sample in self.samples if sample[1] > 0 and sample[1] >= start * total)
        return (total - records) / (self.end - at) if self.end > at else float("inf")


class Watch(threading.Thread):
    """Follows the job until it has folded the log up to `ends` and, if asked, all is in the features of `items`."""

    def __init__(self, port: int, ends: Sequence[int], items: Sequence[int] | None, cluster: Cluster) -> None:
        super().__init__(name="watch", daemon=True)
        self._client = redis.Redis(port=port, socket_timeout=10)
        self._ends, self._items, self._cluster = list(ends), items, cluster
        self._timeline = Timeline()
        self._error: Exception | None = None
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            self._follow_users()
            if self._items is not None:
                self._follow_items(self._items)
        except Exception as error:  # told to the one who waits
            self._error = error

    def _follow_users(self) -> None:
        moved, before = time.monotonic(), -1
        while not self._ended.wait(POLL):
            lanes = folded(self._client)
            now, records = time.monotonic(), sum(lanes)
            if records > 0:
                self._timeline.add(now, records)
            if all(lane >= end for lane, end in zip(lanes, self._ends, strict=True)):
                self._timeline.users_done = now
                return
            if records != before:
                moved, before = now, records
            elif now - moved > STALLED:
                raise Unavailable(
                    f"the job stands at {lanes} of {self._ends} since {STALLED:.0f} s; {self._cluster.exceptions()}"
                )

    def _follow_items(self, items: Sequence[int]) -> None:
        """Items are done with as many contributions as events were applied; pairs, whose number is not known, once they
        have not changed for longer than the job keeps a change."""
        expected = ledger(self._client)["applied"]
        moved, before = time.monotonic(), (-1, -1)
        while not self._ended.wait(ITEMS_POLL):
            held, covisits = contributions(self._client, items)
            now = time.monotonic()
            if held > expected:
                raise Broken(f"the items hold {held} contributions, {expected} events were applied")
            if (held, covisits) != before:
                moved, before = now, (held, covisits)
            elif held == expected and now - moved > PAIRS_QUIET:
                self._timeline.items_done = moved
                return
            elif now - moved > STALLED:
                raise Unavailable(
                    f"the items hold {held} of {expected} contributions since {STALLED:.0f} s; {self._cluster.exceptions()}"
                )

    def result(self, within: float) -> Timeline:
        """Wait for the end. Raises what went wrong, or Unavailable after `within` seconds."""
        self.join(within)
        late = self.is_alive()
        self._ended.set()
        self.join(30)
        self._client.close()
        if self._error is not None:
            raise self._error
        if late:
            raise Unavailable(f"the log was not folded within {within:.0f} s")
        return self._timeline
