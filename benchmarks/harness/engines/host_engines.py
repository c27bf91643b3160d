"""Kafka and a Redis Cluster on several hosts: each has a broker, a primary, and a replica of another's primary."""

import os
import secrets
import subprocess
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from benchmarks.harness.engines.hosts import Hosts
from features.engines.redis_slots import Server
from features.errors import Unavailable
from infra.services.environment import python_env
from infra.services.kafka import broker_settings
from infra.services.redis import STORE_SETTINGS
from infra.services.redis_cluster import cluster_settings, form_cluster
from infra.system import packages
from infra.system.java_properties import properties_text

KAFKA, CONTROLLER, PRIMARY, REPLICA, BUS = 9092, 9093, 6379, 6380, 10_000
"""Ports on each host; BUS is how much higher the port of Redis' bus is."""
START_TIMEOUT, STOP_TIMEOUT, CALL_TIMEOUT = 60.0, 20.0, 5.0


class HostEngines:
    """Engines with their files in `folder`, on hosts that are there, while the context lasts."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self._hosts = hosts
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{address}:{KAFKA}" for address in self._hosts.addresses)

    @property
    def redis_url(self) -> str:
        return "redis://" + ",".join(f"{address}:{PRIMARY}" for address in self._hosts.addresses)

    def __enter__(self) -> Self:
        try:
            self._start_redis()
            self._start_kafka()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def give_back(self) -> None:
        """Have each host's own Redis be a primary again, so that no host has two: without two of three nobody takes over. Raises
        Unavailable where that does not come to be in time."""
        deadline = time.monotonic() + START_TIMEOUT
        for address in self._hosts.addresses:
            with redis.Redis(address, PRIMARY, socket_timeout=CALL_TIMEOUT) as client:
                run: Any = client.execute_command  # of redis-py, without types
                while (found := run("ROLE"))[0] != b"master":
                    if time.monotonic() > deadline:
                        raise Unavailable(f"Redis at {address}:{PRIMARY} does not come to be a primary again")
                    if found[3] == b"connected":
                        run("CLUSTER", "FAILOVER")
                    time.sleep(0.5)

    def _start_redis(self) -> None:
        addresses = self._hosts.addresses
        for host, address in enumerate(addresses):
            for port in (PRIMARY, REPLICA):
                folder = self._made(f"redis-{host}-{port}")
                settings = {
                    "bind": address,
                    "port": port,
                    "dir": folder,
                    "protected-mode": "no",
                    **STORE_SETTINGS,
                    **cluster_settings(port + BUS),
                }
                options = [str(part) for name, value in settings.items() for part in (f"--{name}", value)]
                self._start(host, packages.redis_server(), *options)
        deadline = time.monotonic() + START_TIMEOUT
        for server in ((address, port) for address in addresses for port in (PRIMARY, REPLICA)):
            while not _answers(server):
                if time.monotonic() > deadline:
                    raise Unavailable(f"Redis at {server[0]}:{server[1]} does not answer within {START_TIMEOUT:.0f} s")
                time.sleep(0.1)
        primaries = [(address, PRIMARY) for address in addresses]
        form_cluster(primaries, [(address, REPLICA) for address in (*addresses[1:], addresses[0])])

    def _start_kafka(self) -> None:
        addresses = self._hosts.addresses
        cluster = urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        voters = ",".join(f"{number}@{address}:{CONTROLLER}" for number, address in enumerate(addresses, 1))
        for host, address in enumerate(addresses):
            folder = self._made(f"kafka-{host}")
            config = folder / "server.properties"
            settings = {
                "process.roles": "broker,controller",
                "node.id": host + 1,
                "controller.quorum.voters": voters,
                "listeners": f"PLAINTEXT://{address}:{KAFKA},CONTROLLER://{address}:{CONTROLLER}",
                "advertised.listeners": f"PLAINTEXT://{address}:{KAFKA}",
                "controller.listener.names": "CONTROLLER",
                "log.dirs": folder / "data",
                **broker_settings(len(addresses)),
            }
            config.write_text(properties_text(settings))
            format_log = ("kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(config))
            subprocess.run(_java(*format_log), env=python_env(), check=True, capture_output=True, timeout=START_TIMEOUT)
            self._start(host, *_java("-Xms128m", "-Xmx512m", "kafka.Kafka", str(config)))
        deadline = time.monotonic() + START_TIMEOUT
        while (known := self._known_brokers()) < len(addresses):
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"Kafka at {self.bootstrap}: {known} brokers of {len(addresses)} within {START_TIMEOUT:.0f} s"
                )
            time.sleep(0.5)

    def _known_brokers(self) -> int:
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=3000)
            try:
                return len(admin.describe_cluster()["brokers"])
            finally:
                admin.close()
        except KafkaError:
            return 0

    def _made(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(parents=True)
        return folder

    def _start(self, host: int, *command: str | Path) -> None:
        with (self._folder / "engines.log").open("ab") as log:
            argv = self._hosts.argv(host, *command)
            self._processes.append(
                subprocess.Popen(argv, env=python_env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )

    def _stop(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait(STOP_TIMEOUT)


def _answers(server: Server) -> bool:
    try:
        with redis.Redis(*server, socket_timeout=CALL_TIMEOUT) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _java(*arguments: str) -> list[str]:
    options = [each for each in arguments if each.startswith("-X")]
    java, jars = packages.java_home() / "bin" / "java", packages.jars("kafka")
    return [str(java), *options, "-cp", os.pathsep.join(map(str, jars)), *arguments[len(options) :]]
