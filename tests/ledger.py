"""How far the job of a running home is, and what it has counted: by Redis and Kafka, without a command."""

from pathlib import Path
from typing import Any

from features.base.reader import Base, Offsets
from features.keys import EVENTS, SERVED
from features.store.job_status import SERVED_VERDICTS, VERDICTS, Lane, lane_key, read_lane
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs.base_from_log import folded_offsets
from infra.verify.compare import verify as recompute_and_compare
from infra.verify.recompute import Ends, KafkaReader, Recomputer
from streaming.settings import JobSettings, read_settings
from tests.home import Martlet, until
from tests.patience import patience

NAMES: dict[str, tuple[str, ...]] = {
    EVENTS: ("read", *VERDICTS),
    SERVED: ("served_read", *(f"served_{name}" for name in SERVED_VERDICTS)),
}
"""Topic → the fields of a lane that count its records."""


class GrowingLog:
    """A home's log as `verify` reads it, each record once: a log only grows, so what was folded for one verification is where
    the next goes on. `./martlet verify` itself begins anew each time (tests/e2e/test_flow.py)."""

    def __init__(self, base: Base, settings: JobSettings) -> None:
        self.made_of = base.folder, settings
        self._folded = Recomputer(base, settings)
        self._reader = KafkaReader(settings.kafka)

    def ends(self) -> Ends:
        return self._reader.ends()

    def read(self, recomputer: Recomputer) -> Ends:
        """Fold what has come since, and give `recomputer` all that was folded."""
        ends = self._reader.read(self._folded)
        recomputer.expected = self._folded.expected
        return ends


_logs: dict[Path, GrowingLog] = {}


def log_of(martlet: Martlet) -> GrowingLog:
    """The log of a home, as far as it was read for this base and these settings."""
    base, settings = base_of(martlet), settings_of(martlet)
    known = _logs.get(martlet.home)
    if known is None or known.made_of != (base.folder, settings):
        known = _logs[martlet.home] = GrowingLog(base, settings)
    return known


def base_of(martlet: Martlet) -> Base:
    return HomeRecord(Home(martlet.home)).base()


def settings_of(martlet: Martlet) -> JobSettings:
    return read_settings(martlet.home / "flink" / "job.json")


def ends_of(martlet: Martlet) -> Offsets:
    """The end of each partition of the log."""
    ends: Offsets = {EVENTS: {}, SERVED: {}}
    for (topic, partition), end in KafkaReader(martlet.kafka).ends().items():
        ends[topic][partition] = end
    return ends


def await_log_end(martlet: Martlet, within: float = 60) -> None:
    """Wait until the job has folded all that is in the log."""
    base, settings, ends = base_of(martlet), settings_of(martlet), ends_of(martlet)

    def at_end() -> bool:
        nonlocal ends
        folded = folded_offsets(base, settings)
        if any(folded[topic][number] < end for topic, parts in ends.items() for number, end in parts.items()):
            return False
        ends = ends_of(martlet)  # it may have grown meanwhile
        return folded == ends

    until(at_end, within, "the job is at the log's end")


def lane_of(martlet: Martlet, number: int) -> Lane | None:
    """What the job has written of a lane."""
    fields: Any = martlet.redis.hgetall(lane_key(number))
    return read_lane(number, fields)


def ledger(martlet: Martlet, within: float = 60) -> dict[str, int]:
    """What the job says that became of each event of the log, once it has read all of it."""
    await_log_end(martlet, within)
    lanes = [lane_of(martlet, number) for number in range(martlet.kafka.partitions)]
    return {name: sum(getattr(lane, name) for lane in lanes if lane is not None) for name in NAMES[EVENTS]}


def verify(martlet: Martlet, wait: float = 90) -> dict[str, int]:
    """`./martlet verify` in this process: all must be equal, byte for byte. The ledger of what was recomputed."""
    finding = recompute_and_compare(base_of(martlet), settings_of(martlet), patience(wait), log_of(martlet))
    assert finding.difference is None, finding.difference[:2000]
    return finding.expected.total()
