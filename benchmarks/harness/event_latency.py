"""When each event's features became readable, from the recordings of producer and subscriber. Pure arrays, no I/O but loading
them. All timestamps are monotonic ns; NEVER stands for one that did not come."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.arrays import BoolArray, IntArray

Timestamps = IntArray
NEVER = np.iinfo(np.int64).max
MS = 1_000_000
_LANE_BITS = 40
"""Offsets are below 2⁴⁰."""


@dataclass(frozen=True)
class Sent:
    """The producer's recording, one row per event: see `benchmarks.harness.paced_producer`."""

    user: Timestamps
    offset: Timestamps
    due: Timestamps
    sent: Timestamps
    acked: Timestamps
    cpu_seconds: float

    @classmethod
    def load(cls, path: Path) -> "Sent":
        with np.load(path) as file:
            columns = {name: file[name] for name in ("user", "offset", "due", "sent", "acked")}
            return cls(**columns, cpu_seconds=float(file["cpu_seconds"]))

    @property
    def acknowledged(self) -> BoolArray:
        return self.offset >= 0

    def only(self, chosen: Any) -> "Sent":
        """Returns the chosen events (a mask or a slice)."""
        return Sent(
            self.user[chosen],
            self.offset[chosen],
            self.due[chosen],
            self.sent[chosen],
            self.acked[chosen],
            self.cpu_seconds,
        )


@dataclass(frozen=True)
class Seen:
    """The subscriber's recording: at time `at` the features of `user` with next offset `n` were readable."""

    user: Timestamps
    n: Timestamps
    at: Timestamps
    cpu_seconds: float

    @classmethod
    def load(cls, path: Path) -> "Seen":
        with np.load(path) as file:
            return cls(file["user"], file["n"], file["at"], float(file["cpu_seconds"]))


def readable_at(sent: Sent, seen: Seen) -> Timestamps:
    """Returns for each event the first time when its user's features included it: when a message with n > its offset came.

    NEVER for an event that no message covers, or that was not acknowledged. (One user's messages have rising n.)
    """
    known, indices = np.unique(np.concatenate([sent.user, seen.user]), return_inverse=True)
    assert len(known) < 1 << (62 - _LANE_BITS), "too many users"
    needed = (indices[: len(sent.user)] << _LANE_BITS) + sent.offset + 1
    heard = (indices[len(sent.user) :] << _LANE_BITS) + seen.n
    order = np.argsort(heard, kind="stable")
    at = np.searchsorted(heard[order], needed, side="left")
    found = np.minimum(at, max(0, len(heard) - 1))
    if not len(heard):
        return np.full(len(needed), NEVER)
    same = (at < len(heard)) & (heard[order][found] >> _LANE_BITS == needed >> _LANE_BITS) & sent.acknowledged
    return np.where(same, seen.at[order][found], NEVER)


def in_intervals(moments: Timestamps, intervals: list[tuple[int, int]]) -> BoolArray:
    """Returns which timestamps are in any of the intervals [from, to], which are ascending and disjoint."""
    inside = np.zeros(len(moments), bool)
    for start, end in intervals:
        inside |= (moments >= start) & (moments <= end)
    return inside


@dataclass(frozen=True)
class Outage:
    """Freshness after a fault.

    normal_at   when every event acknowledged more than the limit ago was readable again (the fault's moment if it always was)
    pending     most events at one moment that were acknowledged and not readable
    silent_ns   the longest time without any features becoming readable
    later       events that were late once more after that, before the window's end
    """

    normal_at: int
    pending: int
    silent_ns: int
    later: int


def outage(
    acked: Timestamps, readable: Timestamps, fault: int, running_again: int, until: int, limit: int = 100 * MS
) -> Outage:
    """Returns the effect of a fault at `fault`, from events acknowledged before `until`; all given events are acknowledged.

    An event is late while it has been acknowledged for more than `limit` and is not readable. Late times that touch, or are
    less than a second apart, are one; the outage ends with the last that begins less than a second after the job was seen to
    run again. NEVER stays NEVER: an event that was never readable makes an outage without an end.
    """
    mine = (acked < until) & (readable > fault)
    acked, readable = acked[mine], readable[mine]
    order = np.argsort(acked)
    acked, readable = acked[order], readable[order]
    late = readable - acked > limit
    normal_at = fault
    for start, end in zip((acked[late] + limit).tolist(), readable[late].tolist(), strict=True):
        if start <= running_again + 1000 * MS or start <= normal_at + 1000 * MS:
            normal_at = max(normal_at, end)
    later = int(np.count_nonzero(late & (acked + limit > normal_at)))
    words = np.sort(readable[readable <= min(normal_at, until)])
    edges = np.concatenate([[fault], words, [min(normal_at, until)]])
    return Outage(normal_at, _max_pending(acked, readable, normal_at), int(np.diff(edges).max()), later)


def _max_pending(acked: Timestamps, readable: Timestamps, until: int) -> int:
    """Returns the maximum number of events that were acknowledged and not readable at one time, up to `until`."""
    starts = np.sort(acked[acked <= until])
    ends = np.sort(readable)
    return int((np.arange(1, len(starts) + 1) - np.searchsorted(ends, starts, side="right")).max(initial=0))
