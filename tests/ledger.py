"""How far the job of a running home is, and what it has counted: by Redis and Kafka, without a command."""

from typing import Any

from features.base.reader import Base, Offsets
from features.keys import EVENTS, PARTITIONS, SERVED
from features.store.job_status import SERVED_VERDICTS, VERDICTS, Lane, lane_key, read_lane
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs.base_from_log import folded_offsets
from infra.verify.compare import verify as recompute_and_compare
from infra.verify.recompute import read_log_ends
from streaming.settings import JobSettings, read_settings
from tests.home import Martlet, until

NAMES: dict[str, tuple[str, ...]] = {
    EVENTS: ("read", *VERDICTS),
    SERVED: ("served_read", *(f"served_{name}" for name in SERVED_VERDICTS)),
}
"""Topic → the fields of a lane that count its records."""


def base_of(martlet: Martlet) -> Base:
    return HomeRecord(Home(martlet.home)).base()


def settings_of(martlet: Martlet) -> JobSettings:
    return read_settings(martlet.home / "flink" / "job.json")


def ends_of(martlet: Martlet) -> Offsets:
    """The end of each partition of the log."""
    ends: Offsets = {EVENTS: {}, SERVED: {}}
    for (topic, partition), end in read_log_ends(martlet.bootstrap).items():
        ends[topic][partition] = end
    return ends


def await_log_end(martlet: Martlet, within: float = 60) -> None:
    """Wait until the job has folded all that is in the log."""
    base, settings = base_of(martlet), settings_of(martlet)
    until(lambda: folded_offsets(base, settings) == ends_of(martlet), within, "the job is at the log's end")


def lane_of(martlet: Martlet, number: int) -> Lane | None:
    """What the job has written of a lane."""
    fields: Any = martlet.redis.hgetall(lane_key(number))
    return read_lane(number, fields)


def ledger(martlet: Martlet, within: float = 60) -> dict[str, int]:
    """What the job says that became of each event of the log, once it has read all of it."""
    await_log_end(martlet, within)
    lanes = [lane_of(martlet, number) for number in range(PARTITIONS)]
    return {name: sum(getattr(lane, name) for lane in lanes if lane is not None) for name in NAMES[EVENTS]}


def verify(martlet: Martlet, wait: float = 90) -> dict[str, int]:
    """`./martlet verify` in this process: all must be equal, byte for byte. The ledger of what was recomputed."""
    finding = recompute_and_compare(base_of(martlet), settings_of(martlet), wait)
    assert finding.difference is None, finding.difference[:2000]
    return finding.expected.total()
