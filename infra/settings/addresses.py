"""Addresses of a home's engines: those that the settings name, else those that `up` starts on loopback."""

import os
import re
import shutil
from pathlib import Path

from features.engines.kafka_address import KafkaAddress
from features.engines.loopback import LOOPBACK
from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import Server
from features.engines.shared_engines import Engines
from features.engines.tls import Tls
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.home.topology import Topology
from infra.settings.table import Kafka, Redis, Settings

REDIS_PORT = 6379


def engines_by(settings: Settings, home: Home, ports: Ports, topology: Topology, partitions: int) -> Engines:
    """Returns where Kafka and Redis are. topology, partitions: the home's."""
    kafka = attached_kafka(settings.kafka, home, partitions)
    redis = attached_redis(settings.redis, home)
    return Engines(kafka or _started_kafka(ports, topology, partitions), redis or _started_redis(ports, topology))


def _started_kafka(ports: Ports, topology: Topology, partitions: int) -> KafkaAddress:
    brokers = (f"{LOOPBACK}:{ports.of('kafka', number)}" for number in range(1, topology.brokers + 1))
    return KafkaAddress(",".join(brokers), partitions=partitions)


def _started_redis(ports: Ports, topology: Topology) -> RedisAddress:
    (host, port), *others = [(LOOPBACK, ports.of("redis", number)) for number in range(1, topology.redis_servers + 1)]
    return RedisAddress(host, port, cluster=topology.primaries > 1, others=tuple(others))


def attached_kafka(kafka: Kafka, home: Home, partitions: int) -> KafkaAddress | None:
    """Returns the Kafka that the settings name; None if they name none. Files are relative to the home; partitions: the
    home's."""
    if kafka.bootstrap is None:
        return None
    tls = Tls(file_in(home, kafka.ca), file_in(home, kafka.certificate)) if kafka.tls else None
    login = kafka.user, kafka.password, kafka.mechanism
    return KafkaAddress(kafka.bootstrap, kafka.topic_prefix, tls, *login, partitions)


def attached_redis(redis: Redis, home: Home) -> RedisAddress | None:
    """Returns the Redis that the settings name; None if they name none. Files are relative to the home."""
    if redis.url is None:
        return None
    tls = Tls(file_in(home, redis.ca), file_in(home, redis.certificate)) if redis.url.startswith("rediss:") else None
    (host, port), *others = servers_of(redis.url)
    database = database_of(redis.url)
    return RedisAddress(host, port, database, tls, redis.user, redis.password, redis.cluster, tuple(others))


def servers_of(addresses: str) -> list[Server]:
    """Returns the servers that a setting names, by the port of Redis where one has none.

    >>> servers_of("rediss://a.example:6380,b.example,[::1]:1/0"), servers_of("http://a:1,http://b:2")
    ([('a.example', 6380), ('b.example', 6379), ('::1', 1)], [('a', 1), ('b', 2)])
    """
    parts = (re.fullmatch(r"(?:\w+://)?(.*?)(?::(\d+))?(?:/.*)?", part) for part in addresses.split(","))
    return [(part[1].strip("[]"), int(part[2] or REDIS_PORT)) for part in parts if part is not None]


def database_of(url: str) -> int:
    """Returns the number of the database that a Redis' URL names, 0 where it names none.

    >>> database_of("redis://a,b:1/7"), database_of("redis://a/"), database_of("redis://a")
    (7, 0, 0)
    """
    return int(url.partition("://")[2].partition("/")[2] or 0)


def file_in(home: Home, name: str | None) -> str | None:
    """Returns the path of a file that a setting names, relative to the home; None for none. A link stays one: what it leads to
    may be another file later, and elsewhere on another machine, as in a volume of Kubernetes."""
    return None if name is None else str((home.path / Path(name).expanduser()).absolute())


def program_in(home: Home, name: str) -> Path | None:
    """Returns the program that a setting names: a bare name is looked for on PATH, a path is relative to the home; None where
    there is none that can be run."""
    path = home.path.absolute() / Path(name).expanduser() if os.sep in name else name
    found = shutil.which(path)
    return None if found is None else Path(found).absolute()
