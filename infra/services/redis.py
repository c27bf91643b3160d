"""Redis as a service: its options."""

from infra.home.paths import Home
from infra.home.ports import LOOPBACK, Ports
from infra.services.environment import python_env
from infra.services.service import Service
from infra.system import packages, probes


def redis(home: Home, ports: Ports) -> Service:
    # Every write of the last second may be lost in a crash of Redis (everysec); the job writes those again.
    options = {
        "bind": LOOPBACK,
        "port": str(ports.redis),
        "dir": str(home.redis),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": "4gb",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "tcp-backlog": "128",
    }
    config = home.redis / "redis.conf"
    config.write_text("".join(f'{key} "{value}"\n' for key, value in options.items()))
    return Service(
        "redis",
        (packages.redis_server(), config),
        lambda: probes.redis_ready(ports.redis),
        env=python_env(),
        cwd=home.redis,
        address=f"{LOOPBACK}:{ports.redis}",
    )
