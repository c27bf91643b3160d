"""The services that `up` starts: what each is told, and how it is asked whether it is ready."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import Unavailable
from infra import artefacts, ask
from infra.home import REPO, Home
from infra.processes import free_ports, is_free
from infra.supervisor import Service
from models.registry import list_models

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Where the services of one home listen, all on loopback."""

    api: int
    redis: int
    kafka: int
    kafka_controller: int
    flink_rpc: int
    flink_rest: int
    model_rest: int
    model_grpc: int
    watch: int

    @property
    def address(self) -> str:
        """Of the API and the pages."""
        return f"http://{LOOPBACK}:{self.api}"

    @property
    def bootstrap(self) -> str:
        """Of Kafka, as its clients want it."""
        return f"{LOOPBACK}:{self.kafka}"

    @property
    def flink(self) -> str:
        """Of Flink's page and REST interface."""
        return f"http://{LOOPBACK}:{self.flink_rest}"

    @classmethod
    def choose(cls, api: int, before: Mapping[str, int]) -> "Ports":
        """The ports of last time where they are still free, else free ones."""
        names = [name for name in cls.__dataclass_fields__ if name != "api"]
        fresh = free_ports(len(names))
        return cls(
            api=api,
            **{
                name: before[name] if before.get(name) and is_free(before[name]) else port
                for name, port in zip(names, fresh, strict=True)
            },
        )


def python_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of our own processes: the repo on the path, no variable that another Java or Spark left."""
    drop = {
        "SPARK_HOME",
        "HADOOP_CONF_DIR",
        "FLINK_HOME",
        "FLINK_CONF_DIR",
        "JAVA_TOOL_OPTIONS",
        "CLASSPATH",
        "KAFKA_OPTS",
    }
    env = {key: value for key, value in os.environ.items() if key not in drop}
    env["PYTHONPATH"] = str(REPO)
    env["PYTHONSAFEPATH"] = "1"  # modules come from the repo, not from where `up` was called
    env["PYTHONUNBUFFERED"] = "1"
    env["JAVA_HOME"] = str(artefacts.java_home())
    return env | dict(extra or {})


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
        (artefacts.redis_server(), config),
        lambda: ask.redis_ready(ports.redis),
        env=python_env(),
        cwd=home.redis,
        address=f"{LOOPBACK}:{ports.redis}",
    )


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
    logging = (artefacts.flink_home() / "lib").glob("log4j-slf4j-impl-*.jar")
    return [
        artefacts.java_home() / "bin" / "java",
        "-Xms128m",
        "-Xmx512m",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=20",
        f"-Dlog4j2.configurationFile={log4j}",
        f"-Dkafka.logs.dir={home.logs}",
        "-cp",
        os.pathsep.join(str(jar) for jar in [*artefacts.jars("kafka"), *logging]),
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
        lambda: ask.kafka_ready(ports.kafka),
        env=python_env(),
        cwd=home.kafka,
        grace=30,
        address=f"{LOOPBACK}:{ports.kafka}",
    )


def model_server(home: Home, ports: Ports, config: Path) -> Service:
    def ready() -> None:
        address = f"http://{LOOPBACK}:{ports.model_rest}/v1/models"
        ask.http_answers(f"{address}/recmodel")
        for name in list_models(home.models):
            versions = ask.http_json(f"{address}/{name}")["model_version_status"]
            if not any(each["state"] == "AVAILABLE" for each in versions):
                raise Unavailable(f"no version of {name} is available yet: {versions}")

    return Service(
        "model-server",
        (
            sys.executable,
            "-m",
            "models.server",
            f"--model_config_file={config}",
            "--model_config_file_poll_wait_seconds=1",
            f"--rest_api_port={ports.model_rest}",
            f"--port={ports.model_grpc}",
        ),
        ready,
        env=python_env({"TF_CPP_MIN_LOG_LEVEL": "2"}),
        cwd=home.models,
        ready_within=120,
        address=f"{LOOPBACK}:{ports.model_rest}, gRPC {ports.model_grpc}",
    )


def api(home: Home, ports: Ports, settings: Path) -> Service:
    """Ready once it answers lists, ranked by a model or not."""

    def ready() -> None:
        there = ask.http_json(f"{ports.address}/readyz", also=503)["dependencies"]
        if away := [name for name, is_there in there.items() if not is_there and name != "models"]:
            raise Unavailable(f"the API has no {', '.join(away)} yet")

    return Service(
        "api",
        (sys.executable, "-m", "online", "--settings", settings),
        ready,
        env=python_env({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}),
        cwd=home.path,
        address=ports.address,
    )
