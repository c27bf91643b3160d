"""Settings that don't go together, or are not safe: refused before anything is started."""

from collections.abc import Callable
from ipaddress import IPv6Address

from features.engines.loopback import is_loopback
from features.errors import BadInput
from infra.home.paths import Home
from infra.settings.addresses import database_of, program_in, servers_of
from infra.settings.table import Api, Kafka, Redis, Settings

Where = Callable[[str], str]
"""Returns, by a setting's path, where its value stands."""


def check(settings: Settings, home: Home, where: Where) -> None:
    """Raise BadInput for the first combination of a home's settings that is wrong or not safe."""
    _check_servers(settings, where)
    _check_kafka(settings.kafka, where)
    _check_redis(settings.redis, home, where)
    _check_flink(settings, where)
    _check_s3(settings, where)
    _check_api(settings.api, where)


def _check_servers(settings: Settings, where: Where) -> None:
    """Raise BadInput for an address of a host that none can have, or of no port."""
    addresses = {
        "kafka.bootstrap": settings.kafka.bootstrap,
        "redis.url": settings.redis.url,
        "flink.address": settings.flink.address,
        "s3.endpoint": settings.s3.endpoint,
        "models.server": settings.models.server,
        "api.address": settings.api.address,
        "watch.address": settings.watch.address,
    }
    for path, address in addresses.items():
        for host, port in [] if address is None else servers_of(address):
            if not _is_host(host):
                raise BadInput(where(path), "a host's name or address", repr(host))
            if not 1 <= port <= 65535:
                raise BadInput(where(path), "a port from 1 to 65535", str(port))


def _is_host(host: str) -> bool:
    """Whether it may be a host: an IP address of version 6, or a name whose parts are none empty and none over 63 characters."""
    try:
        return bool(IPv6Address(host) if ":" in host else host.encode("idna"))
    except ValueError:
        return False


def _check_kafka(kafka: Kafka, where: Where) -> None:
    if kafka.replication is not None and kafka.replication < 1:
        raise BadInput(where("kafka.replication"), "a whole number from 1 on", str(kafka.replication))
    if kafka.bootstrap is None:
        _refuse_alone(
            kafka, ("topic_prefix", "replication", "tls", "ca", "certificate", "user", "password"), "kafka", where
        )
        return
    _check_login(kafka.user, kafka.password, "kafka", where)
    for name in ("ca", "certificate"):
        if getattr(kafka, name) is not None and not kafka.tls:
            raise BadInput(where(f"kafka.{name}"), "kafka.tls = true with it", "kafka.tls = false")
    far = next((host for host, _ in servers_of(kafka.bootstrap) if not is_loopback(host)), None)
    if kafka.user is not None and kafka.mechanism == "PLAIN" and not kafka.tls and far is not None:
        raise BadInput(
            where("kafka.mechanism"),
            f"SCRAM or kafka.tls = true, since PLAIN sends the password to {far} as it is",
            "PLAIN",
        )


def _check_redis(redis: Redis, home: Home, where: Where) -> None:
    if redis.server is not None and program_in(home, redis.server) is None:
        raise BadInput(where("redis.server"), "a program that there is", redis.server)
    if redis.url is None:
        _refuse_alone(redis, ("cluster", "user", "password", "ca", "certificate"), "redis", where)
        return
    if redis.server is not None:
        raise BadInput(where("redis.server"), "either redis.url or redis.server", "both")
    if redis.user is not None and redis.password is None:
        raise BadInput(where("redis.user"), "redis.password with it", "a user alone")
    servers, is_safe = servers_of(redis.url), redis.url.startswith("rediss:")
    if len(servers) > 1 and not redis.cluster:
        raise BadInput(where("redis.url"), "one server, or redis.cluster = true", f"{len(servers)} servers")
    if redis.cluster and database_of(redis.url):
        raise BadInput(where("redis.url"), "database 0, the only one of a Redis Cluster", redis.url)
    for name in ("ca", "certificate"):
        if getattr(redis, name) is not None and not is_safe:
            raise BadInput(where(f"redis.{name}"), "a redis.url with rediss:// with it", redis.url)
    far = next((host for host, _ in servers if not is_loopback(host)), None)
    if redis.password is not None and not is_safe and far is not None:
        raise BadInput(where("redis.url"), f"rediss://, since the password would be sent to {far} as it is", redis.url)


def _check_s3(settings: Settings, where: Where) -> None:
    s3 = settings.s3
    for one, other in (("access_key", "secret_key"), ("secret_key", "access_key")):
        if getattr(s3, one) is not None and getattr(s3, other) is None:
            raise BadInput(where(f"s3.{one}"), f"s3.{other} with it", f"s3.{one} alone")
    buckets = [
        each for each in (settings.flink.checkpoints, settings.models.store) if each and each.startswith("s3://")
    ]
    if not buckets:
        for name in ("endpoint", "region", "access_key"):
            if getattr(s3, name) is not None:
                expected = "flink.checkpoints or models.store in a bucket with it"
                raise BadInput(where(f"s3.{name}"), expected, "nothing in one")
    checkpoints, models = (
        f"{(each or '').rstrip('/')}/" for each in (settings.flink.checkpoints, settings.models.store)
    )
    if len(checkpoints) > 1 and len(models) > 1 and (checkpoints.startswith(models) or models.startswith(checkpoints)):
        raise BadInput(
            where("models.store"), "another place than that of flink.checkpoints", str(settings.models.store)
        )


def _check_flink(settings: Settings, where: Where) -> None:
    flink = settings.flink
    if flink.address is None:
        if flink.python is not None:
            raise BadInput(where("flink.python"), "flink.address with it", "nothing to attach to")
        return
    if any(each in (settings.kafka.password or "") for each in '"\\\r\n'):
        expected = "a line without \" and \\, since an attached Flink's clients take it from their environment as it is"
        raise BadInput(where("kafka.password"), expected, "another one")
    if all(is_loopback(host) for host, _ in servers_of(flink.address)):
        return
    for path, engine in (("kafka.bootstrap", settings.kafka.bootstrap), ("redis.url", settings.redis.url)):
        if engine is None:
            raise BadInput(
                where("flink.address"), f"{path} with it, since `up` starts one for this machine alone", flink.address
            )


def _check_api(api: Api, where: Where) -> None:
    for one, other in (("certificate", "key"), ("key", "certificate")):
        if getattr(api, one) is not None and getattr(api, other) is None:
            raise BadInput(where(f"api.{one}"), f"api.{other} with it", f"a {one} alone")


def _check_login(user: str | None, password: str | None, section: str, where: Where) -> None:
    if (user is None) != (password is None):
        given, missing = ("user", "password") if password is None else ("password", "user")
        raise BadInput(where(f"{section}.{given}"), f"{section}.{missing} with it", f"a {given} alone")


def _refuse_alone(section: Kafka | Redis, names: tuple[str, ...], label: str, where: Where) -> None:
    """Raise BadInput for a setting of a server to attach to, where none is named."""
    named = "bootstrap" if label == "kafka" else "url"
    for name in names:
        if getattr(section, name) not in (None, False, ""):
            raise BadInput(where(f"{label}.{name}"), f"{label}.{named} with it", "nothing to attach to")
