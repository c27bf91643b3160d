"""The engines that all parts of a home share, as one file."""

from pathlib import Path

import msgspec

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.errors import Broken


class Engines(msgspec.Struct, frozen=True):
    """Where Kafka and Redis of a home are."""

    kafka: KafkaAddress
    redis: RedisAddress


def read_engines(path: Path) -> Engines:
    """Returns what `up` wrote. Raises Broken for a file that is missing or of another shape."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Engines)
    except (OSError, msgspec.MsgspecError) as error:
        raise Broken(f"{path}: {error}") from error
