"""Kafka as a service: one broker that is its own controller, and its options."""

import os
from pathlib import Path

from infra.home.paths import Home
from infra.home.ports import LOOPBACK, Ports
from infra.services.environment import python_env
from infra.services.service import Service
from infra.system import packages, probes

_KAFKA_LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root>
    <Logger name="org.apache.kafka.clients" level="WARN"/></Loggers>
</Configuration>
"""


def _kafka_java(home: Home) -> list[str | Path]:
    log4j = home.kafka / "log4j2.xml"
    log4j.write_text(_KAFKA_LOG4J)
    # Kafka logs through slf4j and brings no binding of its own; Flink's wheel has one.
    logging = (packages.flink_home() / "lib").glob("log4j-slf4j-impl-*.jar")
    return [
        packages.java_home() / "bin" / "java",
        "-Xms128m",
        "-Xmx512m",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=20",
        f"-Dlog4j2.configurationFile={log4j}",
        f"-Dkafka.logs.dir={home.logs}",
        "-cp",
        os.pathsep.join(str(jar) for jar in [*packages.jars("kafka"), *logging]),
    ]


def _kafka_config(home: Home, ports: Ports) -> Path:
    path = home.kafka / "server.properties"
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports.kafka_controller}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{ports.kafka},CONTROLLER://{LOOPBACK}:{ports.kafka_controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{ports.kafka}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(home.kafka / "data"),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # An event's own time may be in 1998: the log keeps the time of arrival, and nothing is deleted by time.
        "log.message.timestamp.type": "LogAppendTime",
        "log.retention.ms": "-1",
        "log.retention.bytes": "-1",
        "message.max.bytes": str(4 << 20),
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    return path


def kafka_format(home: Home, ports: Ports, cluster_id: str) -> list[str | Path]:
    """The command that prepares an empty data folder (leaves a formatted one alone)."""
    config = _kafka_config(home, ports)
    return [
        *_kafka_java(home),
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "--cluster-id",
        cluster_id,
        "--config",
        config,
    ]


def kafka(home: Home, ports: Ports) -> Service:
    return Service(
        "kafka",
        (*_kafka_java(home), "kafka.Kafka", _kafka_config(home, ports)),
        lambda: probes.kafka_ready(ports.kafka),
        env=python_env(),
        cwd=home.kafka,
        grace=30,
        address=f"{LOOPBACK}:{ports.kafka}",
    )
