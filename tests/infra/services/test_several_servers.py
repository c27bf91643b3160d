"""Several servers of an engine, as `up --scale` starts them: any one of them may die."""

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import run

import pytest
import redis
from kafka import KafkaProducer

from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.errors import Broken, Unavailable
from features.keys import EVENTS
from infra.flink import cluster
from infra.flink.client import FlinkClient
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.home.topology import SCALED
from infra.services import kafka, kafka_topics
from infra.services.redis import redis_servers
from infra.services.redis_cluster import bring_together
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from infra.settings.addresses import engines_by
from infra.settings.table import Settings
from tests.home import until
from tests.patience import patience

pytestmark = pytest.mark.services


def ports() -> Ports:
    return Ports.choose(0, {}, more=SCALED.port_names)


def kill(supervisor: Supervisor, name: str) -> None:
    os.kill(supervisor.child_id(name).pid, signal.SIGKILL)


def redis_at(home: Home, chosen: Ports) -> RedisAddress:
    return engines_by(Settings(), home, chosen, SCALED, 8).redis


def start_redis(home: Home, supervisor: Supervisor, chosen: Ports) -> RedisAddress:
    address = redis_at(home, chosen)
    supervisor.start_all(redis_servers(home, chosen, SCALED))
    bring_together(address.servers, SCALED.primaries)
    return address


def test_a_cluster_is_the_same_one_after_a_restart_wherever_it_listens(home: Home, supervisor: Supervisor) -> None:
    with RedisNodes(start_redis(home, supervisor, ports()), 5) as nodes:
        assert len(nodes.primaries()) == SCALED.primaries
        for number in range(20):
            nodes.call("set", f"key-{number}", number)
    supervisor.stop_all()
    again = Supervisor(home)
    try:
        with RedisNodes(start_redis(home, again, ports()), 5) as nodes:
            assert [int(nodes.call("get", f"key-{number}")) for number in range(20)] == list(range(20))
            assert len(nodes.slots().replicas) == SCALED.primaries * SCALED.replicas
    finally:
        again.stop_all()


def listened_at(address: RedisAddress) -> list[set[int]]:
    """The ports of a cluster's servers as each of them knows them."""
    found = []
    for host, port in address.servers:
        with redis.Redis(host, port) as client:
            found.append({int(node.rpartition(":")[2]) for node in client.cluster("nodes")})
    return found


def test_a_copy_of_a_home_beside_it_is_a_cluster_of_its_own(
    home: Home, supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its servers have the ids of the original's, and the original's ports from before."""
    chosen = ports()
    with RedisNodes(start_redis(home, supervisor, chosen), 5) as nodes:
        nodes.call("set", "whose", "the original's")
    supervisor.stop_all()
    copied = Home(tmp_path_factory.mktemp("copied") / "home")
    shutil.copytree(home.path, copied.path)
    again, beside = Supervisor(home), Supervisor(copied)
    try:
        both = [start_redis(home, again, chosen), start_redis(copied, beside, ports())]
        for address in both:
            assert listened_at(address) == [{port for _, port in address.servers}] * SCALED.redis_servers
        with RedisNodes(both[0], 5) as original, RedisNodes(both[1], 5) as copy:
            assert copy.call("set", "whose", "the copy's")
            assert original.call("get", "whose") == b"the original's"
    finally:
        again.stop_all()
        beside.stop_all()


@pytest.mark.parametrize("name", [".", "nodes.conf"])
def test_a_replica_that_lost_what_it_had_is_one_again(home: Home, supervisor: Supervisor, name: str) -> None:
    """The others don't know it: it has another id then."""
    chosen = ports()
    with RedisNodes(start_redis(home, supervisor, chosen), 5) as nodes:
        for key in range(50):
            nodes.call("set", f"key-{key}", key)
    supervisor.stop_all()
    lose(home.path / f"redis-{SCALED.redis_servers}" / name)
    again = Supervisor(home)
    try:
        with RedisNodes(start_redis(home, again, chosen), 5) as nodes:
            assert [int(nodes.call("get", f"key-{key}")) for key in range(50)] == list(range(50))
            assert len(nodes.primaries()) == SCALED.primaries
            assert len(nodes.slots().replicas) == SCALED.primaries * SCALED.replicas
    finally:
        again.stop_all()


@pytest.mark.soak
def test_a_primary_that_lost_what_it_had_is_named(home: Home, supervisor: Supervisor) -> None:
    """So it is at each start, until all are emptied: they are made anew then."""
    chosen = ports()
    address = redis_at(home, chosen)
    with RedisNodes(start_redis(home, supervisor, chosen), 5) as nodes:
        nodes.call("set", "key", "value")
    supervisor.stop_all()
    folders = [home.redis, *(home.path / f"redis-{number}" for number in range(2, SCALED.redis_servers + 1))]
    lose(folders[1])
    host, port = address.servers[1]
    for _ in range(2):
        again = Supervisor(home)
        try:
            with pytest.raises(
                Broken, match=rf"nobody has \d+ of .* slots: server 2 \({host}:{port}\) has lost .* empty"
            ):
                start_redis(home, again, chosen)
        finally:
            again.stop_all()
    for folder in folders:
        lose(folder)
    again = Supervisor(home)
    try:
        with RedisNodes(start_redis(home, again, chosen), 5) as nodes:
            assert len(nodes.primaries()) == SCALED.primaries
    finally:
        again.stop_all()


def lose(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def test_a_cluster_that_was_half_made_is_made_anew(home: Home, supervisor: Supervisor) -> None:
    chosen = ports()
    address = redis_at(home, chosen)
    supervisor.start_all(redis_servers(home, chosen, SCALED))
    with redis.Redis(address.host, address.port) as first:
        first.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 9000)
    bring_together(address.servers, SCALED.primaries)
    with RedisNodes(address, 5) as nodes:
        nodes.call("set", "key", "value")
        assert len(nodes.primaries()) == SCALED.primaries


def test_a_server_that_does_not_answer_is_named(home: Home) -> None:
    with pytest.raises(Unavailable, match="the Redis Cluster does not come to be whole"):
        bring_together(redis_at(home, ports()).servers, SCALED.primaries)


def test_what_is_acknowledged_outlives_a_broker(home: Home, supervisor: Supervisor) -> None:
    chosen, numbers = ports(), range(1, SCALED.brokers + 1)

    def prepare(number: int) -> None:
        argv = kafka.kafka_format(home, chosen, "c2V2ZXJhbC1icm9rZXJz", number, SCALED.brokers)
        assert not kafka.is_formatted(home, number)
        run([str(part) for part in argv], check=True, timeout=patience(60), capture_output=True)
        assert kafka.is_formatted(home, number)

    with ThreadPoolExecutor() as threads:
        list(threads.map(prepare, numbers))
    brokers = [kafka.kafka(home, chosen, number, SCALED.brokers) for number in numbers]
    supervisor.start_all([patient(each) for each in brokers])
    address = engines_by(Settings(), home, chosen, SCALED, 8).kafka
    kafka_topics.create(address)
    producer = KafkaProducer(**address.client_options(), acks="all", delivery_timeout_ms=60_000)
    try:
        assert [producer.send(EVENTS, b"before", partition=each).get(30).offset for each in range(8)] == [0] * 8
        kill(supervisor, "kafka-2")
        assert [producer.send(EVENTS, b"after", partition=each).get(60).offset for each in range(8)] == [1] * 8
    finally:
        producer.close(5)


@pytest.mark.soak
def test_another_job_manager_leads_where_one_dies(home: Home, supervisor: Supervisor) -> None:
    chosen = ports()
    env = cluster.configure(home, chosen, topology=SCALED)
    services = [
        *cluster.coordinators(home, chosen, SCALED.coordinators),
        *cluster.job_managers(home, chosen, env, SCALED.job_managers),
        cluster.task_manager(home, chosen, env, 1),
    ]
    supervisor.start_all([patient(each) for each in services])
    both = [f"http://127.0.0.1:{chosen.of('flink_rest', number)}" for number in (1, 2)]
    kill(supervisor, "zookeeper-2")  # two of three still agree
    kill(supervisor, "jobmanager")
    until(lambda: worker_known(both[1]), 180, "the other JobManager leads, and the TaskManager has found it")
    supervisor.start_monitor()
    supervisor.restart_now("jobmanager")
    until(lambda: worker_known(both[0]), 180, "the one that died is there again, and answers for the one that leads")
    kill(supervisor, "jobmanager-2")
    until(lambda: worker_known(both[0]), 180, "it leads")
    until(lambda: worker_known(chosen.flink), 60, "it answers where the home asks")


def patient(service: Service) -> Service:
    """The service, which has longer to be ready: several JVMs start at once, and other tests run beside."""
    return replace(service, ready_timeout=2 * service.ready_timeout)


def worker_known(address: str) -> bool:
    try:
        return bool(FlinkClient(address).task_managers())
    except Unavailable:
        return False
