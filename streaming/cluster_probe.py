"""Proves that a Flink cluster can run the job: `python -m streaming.cluster_probe --name NAME --file FILE --jar JAR` runs a job
of one element on a free TaskManager, which imports the operators' modules, finds the jars, writes the file in a home, and enters
the Kafka and the Redis whose addresses `--kafka` and `--redis` give as JSON."""

import argparse
import os
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from pyflink.common import Types
from pyflink.datastream import MapFunction, RuntimeContext
from pyflink.java_gateway import get_gateway
from redis import Redis, RedisError

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.errors import Broken
from features.version import VERSION
from streaming.remote_environment import remote_environment
from streaming.warm_up import import_operators

OWN, CONNECTOR = "martlet.LaneBatcher", "org.apache.flink.connector.kafka.source.KafkaSource"
"""Classes of the job's own jar, and of the connector's."""
TIMEOUT_MS: Final = 10_000


def check_here(
    version: str, jar: str, file: Path, kafka: KafkaAddress | None = None, redis: RedisAddress | None = None
) -> None:
    """Check this process, which is a TaskManager's: Martlet's `version`, its `jar` by name, the connector, that `file` can be
    written, and that Kafka and Redis, where they are given, let it in. Raises Broken with what is wrong, and BadInput for files
    of TLS that can't be used and for passwords that are missing."""
    if version != VERSION:
        raise Broken(f"the repository on PYTHONPATH is of version {VERSION}, expected {version}")
    if (found := _jar_of(OWN)) != jar:
        raise Broken(f"Flink's lib must hold {jar}, found {found or 'none'}")
    if _jar_of(CONNECTOR) is None:
        raise Broken("Flink's lib lacks the Kafka connector")
    try:
        file.touch()
    except OSError as error:
        whose = f"to read and to write for user {os.getuid()}, who runs this TaskManager"
        raise Broken(f"the home's folder must be there under the same path, {whose}: {error}") from error
    if kafka is not None:
        _enter_kafka(kafka)
    if redis is not None:
        _enter_redis(redis)


def _enter_kafka(address: KafkaAddress) -> None:
    try:
        client = KafkaConsumer(
            **address.client_options(), bootstrap_timeout_ms=TIMEOUT_MS, request_timeout_ms=TIMEOUT_MS
        )
        client.close()
    except KafkaError as error:
        raise Broken(f"Kafka at {address.bootstrap} does not let this TaskManager in: {error}") from error


def _enter_redis(address: RedisAddress) -> None:
    wait = TIMEOUT_MS / 1000
    try:
        with Redis(**address.client_options(), socket_timeout=wait, socket_connect_timeout=wait) as client:
            client.ping()
    except RedisError as error:
        raise Broken(f"Redis at {address} does not let this TaskManager in: {error}") from error


def _jar_of(name: str) -> str | None:
    """Returns the name of the jar that a class of Flink's class path is from; None if there is none."""
    from pemja import findClass  # there only where Flink runs Python in its own process

    path = name.replace(".", "/") + ".class"
    found = findClass("java.lang.ClassLoader").getSystemResource(path)
    return None if found is None else str(found.toString()).partition("!")[0].rpartition("/")[2]


class _Check(MapFunction):  # type: ignore[misc]  # PyFlink has no types
    def __init__(self, jar: str, file: Path, kafka: KafkaAddress | None, redis: RedisAddress | None) -> None:
        self._expected = VERSION, jar, file, kafka, redis

    def open(self, runtime_context: RuntimeContext) -> None:
        import_operators()
        check_here(*self._expected)

    def map(self, value: int) -> int:
        return value


def probe(name: str, jar: str, file: Path, kafka: KafkaAddress | None, redis: RedisAddress | None) -> None:
    """Run the job, under a name; returns when it has ended."""
    env = remote_environment(lasts=False)
    env.set_parallelism(1)
    checked: Any = env.from_collection([0], type_info=Types.INT()).map(
        _Check(jar, file, kafka, redis), output_type=Types.INT()
    )
    jvm: Any = get_gateway().jvm
    checked._j_data_stream.sinkTo(jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink())
    env.execute(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--jar", required=True)
    parser.add_argument("--kafka", type=partial(msgspec.json.decode, type=KafkaAddress))
    parser.add_argument("--redis", type=partial(msgspec.json.decode, type=RedisAddress))
    arguments = parser.parse_args()
    probe(arguments.name, arguments.jar, arguments.file, arguments.kafka, arguments.redis)


if __name__ == "__main__":
    # By its name: what is of `__main__` would be sent along, and it is the TaskManager's own that is to be tried.
    import_module("streaming.cluster_probe").main()
