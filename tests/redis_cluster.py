"""A real Redis Cluster for a test: plain processes of redis-server, killed at the end."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import Server, SlotMap, is_whole, read_shards, slot_of
from infra.services.redis_cluster import cluster_settings, form_cluster
from infra.system import packages
from infra.system.processes import free_ports
from tests.home import until

HOST = "127.0.0.1"


@dataclass
class ClusterServer:
    """A server: how it was started, its process, and a client of it alone."""

    port: int
    argv: list[str]
    process: "subprocess.Popen[bytes]"
    client: redis.Redis

    @property
    def server(self) -> Server:
        return HOST, self.port

    @property
    def slots(self) -> SlotMap:
        """Who has which slots, as this server sees it."""
        return SlotMap(read_shards(self.run("CLUSTER", "SLOTS"), self.server))

    def run(self, *words: object) -> Any:
        execute: Any = self.client.execute_command  # of redis-py, without types
        return execute(*words)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def start_again(self) -> None:
        self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL)
        _await_up(self)


@dataclass(frozen=True)
class RedisCluster:
    """Servers that are one cluster. address: how a home enters it, by its first two servers."""

    servers: list[ClusterServer]
    address: RedisAddress

    def empty(self) -> None:
        """Remove all keys."""
        for server in self.servers:
            server.client.flushall()

    def at(self, server: Server) -> ClusterServer:
        return next(each for each in self.servers if each.server == server)

    @property
    def _alive(self) -> list[ClusterServer]:
        return [each for each in self.servers if each.process.poll() is None]

    @property
    def slots(self) -> SlotMap:
        """Who has which slots, as a server that lives sees it."""
        return self._alive[0].slots

    def owner_of(self, key: str) -> ClusterServer:
        """The primary that has a key."""
        owner = self.slots.owner_of(key)
        assert owner is not None
        return self.at(owner)

    def _holder_of(self, key: str) -> ClusterServer:
        """The primary that says itself that it has a key: the others may not have heard of it yet."""
        return next(each for each in self._alive if each.slots.owner_of(key) == each.server)

    def replica_of(self, primary: ClusterServer) -> ClusterServer:
        """The replica of a primary, once the primary has heard of it."""
        identity = primary.run("CLUSTER", "MYID").decode()
        until(lambda: primary.run("CLUSTER", "REPLICAS", identity), 20, "the primary knows its replica")
        (entry,) = primary.run("CLUSTER", "REPLICAS", identity)
        return self.at((HOST, int(entry.decode().split()[1].partition("@")[0].rpartition(":")[2])))

    def move_slot(self, key: str, target: ClusterServer) -> None:
        """Move a key's slot, with the keys in it, to another primary."""
        self.begin_move(key, target)
        self.end_move(key, target)

    def begin_move(self, key: str, target: ClusterServer) -> None:
        """Have a slot move: keys that its primary still has are served there, others by the target after ASKING."""
        source, slot = self._holder_of(key), slot_of(key)
        target.run("CLUSTER", "SETSLOT", slot, "IMPORTING", source.run("CLUSTER", "MYID").decode())
        source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", target.run("CLUSTER", "MYID").decode())

    def end_move(self, key: str, target: ClusterServer) -> None:
        """Move what is left in a slot that moves, and have it owned by the target."""
        source, slot = self._holder_of(key), slot_of(key)
        while keys := source.run("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.run("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
        identity = target.run("CLUSTER", "MYID").decode()
        primaries = [self.at(each) for each in self.slots.servers]
        for each in dict.fromkeys((target.port, source.port, *(each.port for each in primaries))):
            self.at((HOST, each)).run("CLUSTER", "SETSLOT", slot, "NODE", identity)
        until(lambda: self._agrees(key, target), 20, "all servers have heard that a slot is elsewhere")

    def _agrees(self, key: str, owner: ClusterServer) -> bool:
        """Whether all servers find a key at one of them, as of the same epoch: another move before that could be taken back."""
        infos = [each.run("CLUSTER", "INFO").decode().splitlines() for each in self._alive]
        epochs = {line for lines in infos for line in lines if line.startswith("cluster_current_epoch:")}
        return len(epochs) == 1 and all(each.slots.owner_of(key) == owner.server for each in self._alive)

    def await_takeover(self, key: str, killed: ClusterServer, within: float = 30) -> ClusterServer:
        """Returns who has a key in a killed server's place, once all that live have heard of it and find every slot served."""

        def is_taken_over() -> bool:
            infos = [each.run("CLUSTER", "INFO") for each in self._alive]
            owners = {each.slots.owner_of(key) for each in self._alive}
            return len(owners) == 1 and not owners & {None, killed.server} and all(map(is_whole, infos))

        until(is_taken_over, within, "all that live know who took over")
        return self.owner_of(key)


@contextmanager
def three_primaries(folder: Path) -> Iterator[RedisCluster]:
    """A cluster whose slots tests move, and none of which takes another's place."""
    with redis_cluster(folder, replicas=False, node_timeout=60.0) as started:
        yield started


def _client(port: int) -> redis.Redis:
    return redis.Redis(HOST, port, socket_timeout=5, retry=Retry(NoBackoff(), 0))


def _await_up(server: ClusterServer) -> None:
    def answers() -> bool:
        try:
            return bool(server.client.ping())
        except redis.RedisError:
            return False

    until(answers, 20, "redis-server answers")


@contextmanager
def redis_cluster(
    folder: Path, replicas: bool = True, options: Sequence[str] = (), node_timeout: float = 1.0
) -> Iterator[RedisCluster]:
    """Three primaries, each with a replica if there are to be any. options: more options of each server."""
    count = 6 if replicas else 3
    ports = free_ports(2 * count)
    servers: list[ClusterServer] = []
    try:
        for port, bus_port in zip(ports[:count], ports[count:], strict=True):
            own = folder / str(port)
            own.mkdir(parents=True)
            settings = {"port": str(port), "bind": HOST, "save": "", "appendonly": "no", "dir": str(own)}
            settings |= cluster_settings(bus_port, node_timeout)
            words = [word for name, value in settings.items() for word in (f"--{name}", value)]
            argv = [str(packages.redis_server()), *words, *options]
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
            servers.append(ClusterServer(port, argv, process, _client(port)))
        for server in servers:
            _await_up(server)
        names = [each.server for each in servers]
        form_cluster(names[:3], names[3:])
        yield RedisCluster(servers, RedisAddress(HOST, ports[0], cluster=True, others=((HOST, ports[1]),)))
    finally:
        for server in servers:
            server.client.close()
            server.process.kill()
            server.process.wait(10)
