"""Settings of the job: one frozen object, written by infra as JSON and read by `python -m streaming.job`."""

from pathlib import Path

import msgspec

from features.clock import Clock
from features.units import ATTRIBUTION_S


class JobSettings(msgspec.Struct, frozen=True):
    """
    bootstrap       Kafka, host:port
    redis_host, redis_port
    base            folder of the base that states start from
    generation      fence of all writes: rises with a new log, base or fold version
    horizon         the home's clock for the rule "a day ahead": an event time, ms …
    horizon_since   … and the wall time, ms, at which it stood there; None: the clock is wall time
    parallelism     of the fold, at most 8
    attribution     window (s) in which a shown list waits for actions on it before it becomes a sample
    state_version   of the states in Flink that the home's generation was made for; the operators refuse another than their own
    items           whether events are also folded into items and pairs. If not, half of the job's work is saved, and items and
                    pairs stay as they are in the base
    """

    bootstrap: str
    redis_host: str
    redis_port: int
    base: str
    generation: int
    horizon: int
    horizon_since: int | None
    parallelism: int = 1
    attribution: int = ATTRIBUTION_S
    items: bool = True
    state_version: int = 0

    def clock(self) -> Clock:
        """The home's clock."""
        return Clock(self.horizon, self.horizon_since)


def read_settings(path: Path) -> JobSettings:
    """Read settings from a JSON file. Raises msgspec.ValidationError naming the invalid field."""
    return msgspec.json.decode(path.read_bytes(), type=JobSettings)
