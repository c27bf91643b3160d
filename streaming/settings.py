"""Settings of the job: one frozen object, written by infra as JSON and read by `python -m streaming.job`."""

from pathlib import Path
from typing import Final

import msgspec

from features.clock import Clock
from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.store.job_status import OPERATORS
from features.store.repeat_requests import writer_name
from features.units import ATTRIBUTION_S

GROUP: Final = "martlet-job"
"""Consumer group in which Flink shows how far it is; behind the prefix of the home's topics."""


class JobSettings(msgspec.Struct, frozen=True):
    """
    kafka, redis    where they are
    base            folder of the base that states start from
    generation      fence of all writes: rises with a new log, base or fold version
    horizon         the home's clock for the rule "a day ahead": an event time, ms …
    horizon_since   … and the wall time, ms, at which it stood there; None: the clock is wall time
    parallelism     of the fold, at most as many as the log has partitions
    attribution     window (s) in which a shown list waits for actions on it before it becomes a sample
    state_version   of the states in Flink that the home's generation was made for; the operators refuse another than their own
    whole_until     broker time, ms: users of a batch that has a record from before that are written whole: an earlier job may
                    have written to a Redis that lacked something
    name            of the job in Flink
    passwords       whether the job takes those of Kafka and Redis along; if not, they are in the environment of each process of
                    the Flink cluster
    items           whether events are also folded into items and pairs. If not, half of the job's work is saved, and items and
                    pairs stay as they are in the base
    """

    kafka: KafkaAddress
    redis: RedisAddress
    base: str
    generation: int
    horizon: int
    horizon_since: int | None
    parallelism: int = 1
    attribution: int = ATTRIBUTION_S
    passwords: bool = True
    items: bool = True
    state_version: int = 0
    whole_until: int = 0
    name: str = "martlet"

    def to_submit(self) -> "JobSettings":
        """Returns the settings as the cluster is told them."""
        if self.passwords:
            return self
        kafka, redis = self.kafka.without_password(), self.redis.without_password()
        return msgspec.structs.replace(self, kafka=kafka, redis=redis)

    def clock(self) -> Clock:
        """The home's clock."""
        return Clock(self.horizon, self.horizon_since)


def writer_names(settings: JobSettings) -> list[str]:
    """Returns the names of all that write features to Redis, as they reply to requests."""
    operators = OPERATORS if settings.items else OPERATORS[:1]
    return [writer_name(operator, subtask) for operator in operators for subtask in range(settings.parallelism)]


def read_settings(path: Path) -> JobSettings:
    """Read settings from a JSON file. Raises msgspec.ValidationError naming the invalid field."""
    return msgspec.json.decode(path.read_bytes(), type=JobSettings)
