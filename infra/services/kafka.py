"""Kafka as services: one broker or several, each a controller, too; and their options."""

import os
from pathlib import Path

from features.engines.loopback import LOOPBACK
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.services.environment import python_env
from infra.services.service import Service
from infra.system import packages, probes
from infra.system.class_archive import ClassArchive
from infra.system.java_properties import properties_text

_COLLECTOR = "-XX:+UseG1GC"
_KAFKA_LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root>
    <Logger name="org.apache.kafka.clients" level="WARN"/></Loggers>
</Configuration>
"""


def broker_settings(brokers: int = 1) -> dict[str, str]:
    """Returns the settings of each of so many brokers, wherever they run: a record that is acknowledged is on a majority of
    them."""
    replicas, majority = str(min(brokers, 3)), str(min(brokers, 3) // 2 + 1)
    settings = {
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": majority,
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": majority,
        "group.initial.rebalance.delay.ms": "0",
        # An event's own time may be in 1998: the log keeps the time of arrival, and nothing is deleted by time.
        "log.message.timestamp.type": "LogAppendTime",
        "log.retention.ms": "-1",
        "log.retention.bytes": "-1",
        "message.max.bytes": str(4 << 20),
    }
    if brokers > 1:
        settings |= {
            "default.replication.factor": replicas,
            "min.insync.replicas": majority,
            # A broker that has died is known by its silence: until then nobody leads its partitions.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            # They are stopped together: the last would wait for others to hand its partitions over to.
            "controlled.shutdown.enable": "false",
        }
    return settings


def _folder(home: Home, number: int) -> Path:
    return home.kafka if number == 1 else home.path / f"kafka-{number}"


def _jars() -> list[Path]:
    # Kafka logs through slf4j and brings no binding of its own; Flink's wheel has one.
    return [*packages.jars("kafka"), *(packages.flink_home() / "lib").glob("log4j-slf4j-impl-*.jar")]


def class_archive(home: Home) -> ClassArchive:
    """Returns the archive of a broker's classes. Packages must be fetched."""
    return ClassArchive("kafka", _jars(), [_COLLECTOR], home.classes)


def _kafka_java(home: Home, folder: Path) -> list[str | Path]:
    folder.mkdir(exist_ok=True)
    log4j = folder / "log4j2.xml"
    log4j.write_text(_KAFKA_LOG4J)
    return [
        packages.java_home() / "bin" / "java",
        "-Xms128m",
        "-Xmx512m",
        _COLLECTOR,
        "-XX:MaxGCPauseMillis=20",
        *class_archive(home).java_options(),
        f"-Dlog4j2.configurationFile={log4j.as_uri()}",
        f"-Dkafka.logs.dir={home.logs}",
        "-cp",
        os.pathsep.join(map(str, _jars())),
    ]


def _kafka_config(ports: Ports, folder: Path, number: int, brokers: int) -> Path:
    path = folder / "server.properties"
    port, own = ports.of("kafka", number), ports.of("kafka_controller", number)
    voters = (f"{each}@{LOOPBACK}:{ports.of('kafka_controller', each)}" for each in range(1, brokers + 1))
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": ",".join(voters),
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{own}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(folder / "data"),
        **broker_settings(brokers),
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
    path.write_text(properties_text(settings))
    return path


def is_formatted(home: Home, number: int) -> bool:
    """Whether a broker's data folder has been prepared."""
    return (_folder(home, number) / "data" / home.kafka_meta.name).exists()


def kafka_format(home: Home, ports: Ports, cluster_id: str, number: int = 1, brokers: int = 1) -> list[str | Path]:
    """Returns the command that formats a broker's empty data folder; a formatted one stays as it is."""
    folder = _folder(home, number)
    java = _kafka_java(home, folder)
    config = _kafka_config(ports, folder, number, brokers)
    return [
        *java,
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "--cluster-id",
        cluster_id,
        "--config",
        config,
    ]


def cluster_of(home: Home, number: int = 1) -> str:
    """The id of the cluster that a broker's folder was prepared for."""
    lines = (_folder(home, number) / "data" / home.kafka_meta.name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["cluster.id"]


def kafka(home: Home, ports: Ports, number: int = 1, brokers: int = 1) -> Service:
    """Returns broker `number` of `brokers` as a service, ready once it knows all of them."""
    folder, port = _folder(home, number), ports.of("kafka", number)
    return Service(
        "kafka" if number == 1 else f"kafka-{number}",
        (*_kafka_java(home, folder), "kafka.Kafka", _kafka_config(ports, folder, number, brokers)),
        lambda: probes.kafka_ready(port, cluster_of(home, number), brokers),
        env=python_env(),
        cwd=folder,
        grace=30,
        address=f"{LOOPBACK}:{port}",
    )
