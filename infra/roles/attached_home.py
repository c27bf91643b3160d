"""What a role that runs alone takes for given: a home, and engines that the settings name, since it starts none."""

import os
from collections.abc import Sequence

from features.engines.shared_engines import Engines
from features.errors import BadInput
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.settings.addresses import attached_kafka, attached_redis
from infra.settings.reading import read_settings
from infra.settings.table import Settings


def settings_naming(home: Home, needed: Sequence[str], role: str) -> Settings:
    """Returns the settings of a home for a role. Raises BadInput for the first of the settings `needed`, by path, that names no
    engine, and for what is wrong."""
    given = read_settings(home, os.environ, {})
    for path in needed:
        if given.origins[path].kind == "default":
            raise BadInput(path, f"an engine that runs already, since `{role}` starts none", "none")
    return given.settings


def require_plain_http(settings: Settings) -> None:
    """Raises BadInput for an API that speaks TLS on its only port, at an address where `watch` reaches it."""
    if settings.api.certificate is not None and settings.api.address is not None:
        raise BadInput(
            "api.certificate",
            "none beside api.address, since `watch` and health checks ask an API of its own by plain HTTP: what callers reach by "
            "TLS is a proxy before it",
            settings.api.certificate,
        )


def record_with_base(home: Home) -> HomeRecord:
    """Returns the record of a home with a base in use. Raises BadInput where there is none."""
    record = HomeRecord(home)
    if record.base_number is None:
        raise BadInput(
            "--home", "a home whose job has run: ./martlet job", f"{home.path}, which has no base in use yet"
        )
    return record


def attached_engines(home: Home, settings: Settings) -> Engines:
    """Returns the Kafka and the Redis that settings name, which must name both. Raises BadInput for another number of partitions
    than the home's."""
    partitions = HomeRecord(home).divide(settings.kafka.partitions)
    kafka, redis = attached_kafka(settings.kafka, home, partitions), attached_redis(settings.redis, home)
    assert kafka is not None
    assert redis is not None
    return Engines(kafka, redis)
