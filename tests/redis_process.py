"""A real redis-server for a test, alone in a folder of its own."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from infra.system import packages
from infra.system.processes import free_ports


@dataclass(frozen=True)
class RedisProcess:
    port: int
    client: redis.Redis
    process: subprocess.Popen[bytes]


@contextmanager
def redis_process(folder: Path) -> Iterator[RedisProcess]:
    """Starts a server without persistence; kills it at the end, whatever state a test left it in."""
    port = free_ports(1)[0]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen([str(packages.redis_server()), *options], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, socket_timeout=5)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                client.ping()
                break
            except redis.RedisError:
                assert time.monotonic() < deadline, "redis-server did not answer within 20 s"
                time.sleep(0.02)
        yield RedisProcess(port, client, process)
    finally:
        client.close()
        process.kill()
        process.wait(10)
