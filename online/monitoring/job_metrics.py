"""Metrics of the Flink job for /metrics, read from Redis at each scrape.

A scrape never fails and never waits long: metrics that Redis does not return within the timeout are left out of it.
"""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from hiredis import ReplyError, pack_command
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from features.engines.redis_address import RedisAddress
from features.errors import Broken, Unavailable
from features.store.freshness import BUCKETS_MS, FreshnessHistogram
from features.store.job_status import (
    MAX_SUBTASKS,
    OPERATORS,
    SERVED_VERDICTS,
    VERDICTS,
    Lane,
    fresh_key,
    lane_keys,
    read_lanes,
)
from online.redis_client.redis_reader import RedisReader
from online.support import metrics

logger = logging.getLogger(__name__)

Writers = dict[tuple[str, int], FreshnessHistogram]


@dataclass(frozen=True)
class JobSnapshot:
    """The job's state at one moment: lanes by number, of the home's generation; histograms by (operator, subtask)."""

    lanes: dict[int, Lane]
    writers: Writers


class JobMetrics:
    """Reads `job:*` within `timeout` seconds. Counters never go back: a job restored from a checkpoint reports less for a
    moment, which Prometheus would take for a reset and count everything again."""

    def __init__(self, address: RedisAddress, lanes: int, generation: int, timeout: float = 0.25) -> None:
        """lanes: how many the job has."""
        self._reader = RedisReader(address)
        self._lane_keys, self._generation = lane_keys(lanes), generation
        self._timeout = timeout
        self._lanes: dict[int, Lane] = {}

    async def close(self) -> None:
        await self._reader.close()

    async def read(self) -> JobSnapshot | None:
        """The job's current state; None if Redis does not return it in time. Never raises for Redis' faults or contents."""
        try:
            async with asyncio.timeout(self._timeout):
                writers = await self._read()
        except (Unavailable, TimeoutError, Broken, ValueError) as error:
            logger.warning("no numbers of the job: %s: %s", type(error).__name__, error)
            return None
        return JobSnapshot(dict(self._lanes), writers)

    async def exposition(self) -> bytes:
        """The text of one scrape."""
        snapshot = await self.read()
        families = [_readable(False)] if snapshot is None else families_of(snapshot)
        return metrics.exposition(families)

    async def _read(self) -> Writers:
        names = [(operator, subtask) for operator in OPERATORS for subtask in range(MAX_SUBTASKS)]
        commands = [(key, pack_command(("HGETALL", key))) for key in self._lane_keys]
        commands += [(key, pack_command(("GET", key))) for key in (fresh_key(*name) for name in names)]
        answers = await self._reader.read_each(commands)
        if error := next((each for each in answers if isinstance(each, ReplyError)), None):
            raise Unavailable(f"Redis: {error}")
        hashes = [dict(zip(flat[::2], flat[1::2], strict=True)) for flat in answers[: len(self._lane_keys)]]
        for number, lane in read_lanes(hashes, self._generation).items():
            known = self._lanes.get(number)
            if known is None or lane.progress >= known.progress:
                self._lanes[number] = lane
        histograms = zip(names, answers[len(self._lane_keys) :], strict=True)
        return {name: FreshnessHistogram.from_json(data) for name, data in histograms if data is not None}


def families_of(snapshot: JobSnapshot) -> list[Metric]:
    """A snapshot as Prometheus metric families."""
    return [_readable(True), *_lane_families(snapshot.lanes), _freshness(snapshot.writers)]


def _readable(value: bool) -> Metric:
    return GaugeMetricFamily("martlet_job_readable", "1 if Redis gave the job's numbers.", value=float(value))


def _lane_families(lanes: dict[int, Lane]) -> Iterator[Metric]:
    """One family per metric; without lanes they are empty, not 0, since nothing is known."""
    every = sorted(lanes.items())
    events = CounterMetricFamily("martlet_job_events", "Records of `events` read, by verdict.", labels=["verdict"])
    served = CounterMetricFamily("martlet_job_served", "Records of `served` read, by verdict.", labels=["verdict"])
    read = CounterMetricFamily("martlet_job_events_read", "Records of `events` read: the sum of the verdicts.")
    served_read = CounterMetricFamily("martlet_job_served_read", "Records of `served` read: the sum of the verdicts.")
    samples = CounterMetricFamily("martlet_job_samples", "Training samples emitted.")
    lists = GaugeMetricFamily("martlet_job_open_lists", "Lists shown that still wait for actions.")
    early = CounterMetricFamily("martlet_job_lists_closed_early", "Lists closed before their time, for want of room.")
    unmatched = CounterMetricFamily(
        "martlet_job_unmatched_actions", "Events that named a list which was closed, or never came."
    )
    watermark = GaugeMetricFamily("martlet_job_watermark_ms", "Newest event time applied, ms since 1970.")
    offsets = GaugeMetricFamily(
        "martlet_job_next_offset", "All records of `events` before it are folded.", labels=["partition"]
    )
    if every:
        for verdict in VERDICTS:
            events.add_metric([verdict], sum(lane.count(verdict) for _, lane in every))
        for verdict in SERVED_VERDICTS:
            served.add_metric([verdict], sum(lane.served_count(verdict) for _, lane in every))
        read.add_metric([], sum(lane.read for _, lane in every))
        served_read.add_metric([], sum(lane.served_read for _, lane in every))
        samples.add_metric([], sum(lane.samples for _, lane in every))
        lists.add_metric([], sum(lane.open_lists for _, lane in every))
        early.add_metric([], sum(lane.closed_early for _, lane in every))
        unmatched.add_metric([], sum(lane.unmatched for _, lane in every))
        watermark.add_metric([], max(lane.watermark_ms for _, lane in every))
    for number, lane in every:
        offsets.add_metric([str(number)], lane.next_offset)
    yield from (events, read, served, served_read, samples, lists, early, unmatched, watermark, offsets)


def _freshness(writers: Writers) -> Metric:
    """Freshness by writer, not summed: a restarted writer counts from 0, and the sum would look like a reset."""
    family = HistogramMetricFamily(
        "martlet_feature_freshness_seconds",
        "Broker's acknowledgement to features readable in Redis, by key written.",
        labels=["operator", "subtask"],
    )
    bounds = [*(str(float(bound / 1000)) for bound in BUCKETS_MS), "+Inf"]
    for (operator, subtask), histogram in sorted(writers.items()):
        total, buckets = 0, []
        for bound, count in zip(bounds, histogram.counts, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric([operator, str(subtask)], buckets, histogram.sum_ms / 1000)
    return family
