"""Redis as a service, alone or one server of a cluster: its options."""

from pathlib import Path

from features.engines.loopback import LOOPBACK
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.home.topology import Topology
from infra.services.environment import python_env
from infra.services.redis_cluster import cluster_settings, put_addresses
from infra.services.redis_program import own_program
from infra.services.service import Service
from infra.settings.addresses import program_in
from infra.system import packages, probes

STORE_SETTINGS = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
"""Settings of a Redis, wherever it runs. Every write of the last second may be lost in a crash of it (everysec); the job writes
those again."""


def _folder(home: Home, number: int) -> Path:
    return home.redis if number == 1 else home.path / f"redis-{number}"


def redis(home: Home, ports: Ports, server: str | None = None, number: int = 1, in_cluster: bool = False) -> Service:
    """Returns Redis as a service, server `number` of a cluster if it is one; `server`: a redis-server or valkey-server of one's
    own (`program_in`). Raises BadInput where that one will not do."""
    folder, port = _folder(home, number), ports.of("redis", number)
    folder.mkdir(exist_ok=True)
    options = {
        "bind": LOOPBACK,
        "port": str(port),
        "dir": str(folder),
        "maxmemory": "4gb",
        **STORE_SETTINGS,
        **(cluster_settings(ports.of("redis_bus", number)) if in_cluster else {}),
        "daemonize": "no",
        "tcp-backlog": "128",
    }
    config = folder / "redis.conf"
    config.write_text("".join(f'{key} "{value}"\n' for key, value in options.items()))
    return Service(
        "redis" if number == 1 else f"redis-{number}",
        (own_program(program_in(home, server) or Path(server)) if server else packages.redis_server(), config),
        lambda: probes.redis_answers(port) if in_cluster else probes.redis_ready(port),
        env=python_env(),
        cwd=folder,
        address=f"{LOOPBACK}:{port}",
    )


def redis_servers(home: Home, ports: Ports, topology: Topology, server: str | None = None) -> list[Service]:
    """Returns every server of Redis as a service, none of which may run yet; `server` as for `redis`."""
    in_cluster, numbers = topology.primaries > 1, range(1, topology.redis_servers + 1)
    if in_cluster:
        put_addresses({_folder(home, each): _in_cluster(ports, each) for each in numbers})
    return [redis(home, ports, server, number, in_cluster) for number in numbers]


def _in_cluster(ports: Ports, number: int) -> str:
    return f"{LOOPBACK}:{ports.of('redis', number)}@{ports.of('redis_bus', number)}"
