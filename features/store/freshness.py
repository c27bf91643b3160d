"""Freshness: a mergeable histogram of the time from the broker's acknowledgement until features are readable."""

import math
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

import msgspec

from features.errors import Broken

BUCKETS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Upper bounds, inclusive. One more bucket takes what is above the last."""


class _Wire(msgspec.Struct):
    buckets_ms: tuple[int, ...]
    counts: list[int]
    sum_ms: float
    count: int


class FreshnessHistogram:
    """Counts of times in milliseconds by bucket, with their sum. Not thread-safe: it has one writer."""

    __slots__ = ("counts", "sum_ms")

    def __init__(self, counts: Iterable[int] | None = None, sum_ms: float = 0) -> None:
        self.counts = [0] * (len(BUCKETS_MS) + 1) if counts is None else list(counts)
        self.sum_ms = sum_ms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FreshnessHistogram) and (self.counts, self.sum_ms) == (other.counts, other.sum_ms)

    def __repr__(self) -> str:
        return f"FreshnessHistogram({self.counts}, {self.sum_ms})"

    @property
    def count(self) -> int:
        return sum(self.counts)

    def add(self, ms: float, times: int = 1) -> None:
        """Count a time. Two clocks may make it negative: that is 0."""
        ms = max(0, ms)
        self.counts[bisect_left(BUCKETS_MS, ms)] += times
        self.sum_ms += ms * times

    def merge(self, other: "FreshnessHistogram") -> "FreshnessHistogram":
        """A new histogram of both together."""
        pairs = zip(self.counts, other.counts, strict=True)
        return FreshnessHistogram((mine + its for mine, its in pairs), self.sum_ms + other.sum_ms)

    def since(self, earlier: "FreshnessHistogram") -> "FreshnessHistogram":
        """A new histogram of what the same writer counted after `earlier`. All of it where the writer has started again since,
        which shows in a count that fell."""
        counts = [now - then for now, then in zip(self.counts, earlier.counts, strict=True)]
        if min(counts) < 0:
            return FreshnessHistogram(self.counts, self.sum_ms)
        return FreshnessHistogram(counts, max(0, self.sum_ms - earlier.sum_ms))

    def quantile(self, q: float) -> float | None:
        """The time in ms that a share `q` (0 … 1) of the writes took at most, interpolated within its bucket; None for an
        empty histogram. The last bound counts all that is above it."""
        if not 0 <= q <= 1:
            raise ValueError(f"q: expected 0 … 1, got {q}")
        total = self.count
        if not total:
            return None
        rank, below = q * total, 0
        for at, count in enumerate(self.counts[:-1]):
            if count and below + count >= rank:
                low = BUCKETS_MS[at - 1] if at else 0
                return low + (BUCKETS_MS[at] - low) * (rank - below) / count
            below += count
        return float(BUCKETS_MS[-1])

    def to_json(self) -> bytes:
        return msgspec.json.encode(_Wire(BUCKETS_MS, self.counts, self.sum_ms, self.count))

    @classmethod
    def from_json(cls, data: bytes) -> "FreshnessHistogram":
        """Raises Broken for what is no histogram of these buckets."""
        try:
            wire = msgspec.json.decode(data, type=_Wire)
        except msgspec.DecodeError as error:
            raise Broken(f"a freshness histogram: {error}") from error
        if wire.buckets_ms != BUCKETS_MS or len(wire.counts) != len(BUCKETS_MS) + 1:
            raise Broken(
                f"a freshness histogram: expected the buckets {BUCKETS_MS} and one more, "
                f"got {wire.buckets_ms} with {len(wire.counts)} counts"
            )
        if min(wire.counts) < 0 or sum(wire.counts) != wire.count or not math.isfinite(wire.sum_ms):
            raise Broken(f"a freshness histogram: its counts {wire.counts} do not add up to {wire.count}")
        return cls(wire.counts, wire.sum_ms)
