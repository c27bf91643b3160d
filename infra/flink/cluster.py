"""The Flink session cluster of a home, from the distribution inside the apache-flink wheel."""

import json
import os
import shutil
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from features.durable import write_secret
from features.engines.loopback import LOOPBACK
from features.errors import BadInput, Unavailable
from infra.flink import flink_java, zookeeper
from infra.flink.checkpoints import INTERVAL_S, RETAINED, own_store
from infra.flink.client import FlinkClient
from infra.flink.flink_lib import S3_PLUGIN, link_lib, link_plugins
from infra.flink.zookeeper import SESSION_MS, quorum
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.home.topology import ALONE, Topology
from infra.services.environment import python_env
from infra.services.service import Service
from infra.storage.bucket_store import is_bucket
from infra.storage.file_store import FileStore, file_uri
from infra.system import packages
from infra.system.class_archive import ClassArchive
from infra.system.repository import REPO
from streaming.machine_memory import machine_memory
from streaming.rest_address import ADDRESSES


def task_managers(parallelism: int) -> int:
    """Returns the number of TaskManagers: for each degree of parallelism one for the user fold and one for source and items,
    since two Python operators in one JVM would share one GIL; and a standby, which takes over the tasks of one that dies at
    once."""
    return slots_of(parallelism) + 1


def slots_of(parallelism: int) -> int:
    """Returns the number of slots of a job: two for each degree of parallelism."""
    return 2 * parallelism


SUCCESSOR_AFTER = 20.0
"""Seconds from the death of a TaskManager, or of one JobManager of several, to the start of its successor, which becomes the
standby: meanwhile the job has the processors to itself, to catch up with the log. Where the job lacks a TaskManager there is no
such wait (see `standby`)."""
CONSOLE_LOGGING = """rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-40c{1} - %m%n
logger.kafka.name = org.apache.kafka
logger.kafka.level = WARN
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
"""

MEMORY, ROCKSDB = "memory", "rocksdb"
_STATE = {
    # In the heap (`flink_java.state_heap`): fastest. Each checkpoint writes all of it.
    MEMORY: {"state.backend.type": "hashmap"},
    # On disk with a cache in managed memory, checkpoints incremental: for millions of users.
    ROCKSDB: {"state.backend.type": "rocksdb", "execution.checkpointing.incremental": "true"},
}
"""Group of jars, and name of the plugin."""
_MANAGED_MIB = {MEMORY: 16, ROCKSDB: 160}


_ON_THEIR_WAY: Final = {
    "taskmanager.memory.segment-size": "16 kb",
    "taskmanager.network.memory.buffers-per-channel": 1,
    "taskmanager.network.memory.floating-buffers-per-gate": 1,
    "taskmanager.network.memory.buffer-debloat.enabled": "true",
    "taskmanager.network.memory.buffer-debloat.target": "50 ms",
    "taskmanager.network.memory.buffer-debloat.period": "100 ms",
    "taskmanager.network.memory.buffer-debloat.samples": 5,
}
"""Of batches between two tasks, so few that the source notices at once where the next task is behind, and gathers larger ones,
which cost less an event. By Flink's defaults, ten buffers of 32 kB, 3 s of small ones lay before a task that can't keep up."""


def require_state(state: str | None) -> None:
    """Raise BadInput for what is no way to keep state; None: as the home has it."""
    if state is not None and state not in _STATE:
        raise BadInput("--state", " or ".join(_STATE), state)


def configure(
    home: Home, ports: Ports, state: str = MEMORY, topology: Topology = ALONE, store: FileStore | None = None
) -> dict[str, str]:
    """Write the cluster's configuration, with state in MEMORY or ROCKSDB and checkpoints in a store, None: the home's own;
    returns the environment variables of its processes and its client. What processes of a run before have left, for one
    another or for nobody, is removed."""
    store = store or own_store(home)
    settings = {
        **process_settings(state),
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": ports.flink_rpc,
        "jobmanager.bind-host": LOOPBACK,
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": ports.flink_rest,
        "taskmanager.bind-host": LOOPBACK,
        "taskmanager.host": LOOPBACK,
        **_job_settings(store, state),
        **store.flink_settings(),
        **(_high_availability(home, ports, topology.coordinators) if topology.coordinators else {}),
        **_python_settings(None),
        "env.log.dir": str(home.logs),
        "env.pid.dir": str(home.run / "flink"),
        "web.tmpdir": str(_scratch(home)),
    }
    _make_private(_shared(home))
    (home.run / "flink").mkdir(exist_ok=True)
    return _written(home, settings, [S3_PLUGIN] if is_bucket(store.uri) else [])


def _high_availability(home: Home, ports: Ports, coordinators: int) -> dict[str, object]:
    """Returns the settings of JobManagers of which one leads, by ZooKeeper: another takes its place and goes on with the job."""
    return {
        "high-availability.type": "zookeeper",
        "high-availability.storageDir": file_uri(_shared(home)),
        "high-availability.zookeeper.quorum": quorum(ports, coordinators),
        "high-availability.zookeeper.client.session-timeout": f"{SESSION_MS} ms",
        "high-availability.zookeeper.client.connection-timeout": f"{SESSION_MS} ms",
        "high-availability.zookeeper.client.retry-wait": "500 ms",
        "high-availability.zookeeper.client.max-retry-attempts": 10,
        # One of the servers may be started anew: who leads goes on as long as it is known again within the session.
        "high-availability.zookeeper.client.tolerate-suspended-connections": "true",
    }


def process_settings(state: str = MEMORY) -> dict[str, object]:
    """Returns the settings of a cluster's processes that are the same wherever they run: heartbeats, Java and memory."""
    return {
        "web.submit.enable": "false",
        "web.cancel.enable": "false",
        "taskmanager.numberOfTaskSlots": 1,
        "heartbeat.interval": "500 ms",
        "heartbeat.timeout": "5 s",
        # All start together: a TaskManager that finds no JobManager yet retries soon, not after 10 s.
        "cluster.registration.error-delay": "500 ms",
        "cluster.registration.refused-registration-delay": "1 s",
        "env.java.opts.all": " ".join(flink_java.options()),
        **_ON_THEIR_WAY,
        **flink_java.job_manager_memory().settings,
        **flink_java.task_manager_memory(_MANAGED_MIB[state]).settings,
    }


def _written(home: Home, settings: Mapping[str, object], plugins: Sequence[str] = ()) -> dict[str, str]:
    """Write a configuration and the folders of jars; returns the environment variables that lead there. plugins: groups of jars
    beside Flink's own."""
    conf, lib, scratch = home.flink_conf, home.flink_lib, _scratch(home)
    _make_private(scratch)
    conf.mkdir(parents=True, exist_ok=True)
    settings = {**settings, "io.tmp.dirs": str(scratch)}
    text = "".join(f"{key}: {_yaml(value)}\n" for key, value in settings.items())
    write_secret(conf / "config.yaml", text.encode())  # keys of a bucket may be in it
    for name in ("log4j-console.properties", "log4j.properties", "log4j-cli.properties"):
        (conf / name).write_text(CONSOLE_LOGGING)
    for name in ("masters", "workers"):
        (conf / name).write_text(f"{LOOPBACK}\n")
    link_lib(lib)
    link_plugins(home.flink_plugins, plugins)
    return python_env(
        {
            # Without FLINK_HOME, pyflink looks for it and resets FLINK_LIB_DIR on the way.
            "FLINK_HOME": str(packages.flink_home()),
            "FLINK_CONF_DIR": str(conf),
            "FLINK_LIB_DIR": str(lib),
            "FLINK_PLUGINS_DIR": str(home.flink_plugins),
            "FLINK_LOG_DIR": str(home.logs),
            "FLINK_IDENT_STRING": "martlet",
            "TMPDIR": str(scratch),
            "PYTHONPATH": os.pathsep.join([str(REPO), sysconfig.get_path("purelib")]),
        }
    )


def configure_client(
    home: Home, address: str, python: str | None, state: str = MEMORY, store: FileStore | None = None
) -> dict[str, str]:
    """Write the configuration of a client of an attached cluster and of the job that it submits; returns its environment
    variables. address: of Flink's REST interface, of several JobManagers with commas between; python: the one on the
    TaskManagers, None: the path of this one; state, store: as of `configure`; the cluster itself must know how a bucket is
    reached."""
    settings = {
        ADDRESSES: address,
        **_job_settings(store or own_store(home), state),
        **_python_settings(python),
        "env.java.opts.all": " ".join(flink_java.options()),
    }
    return _written(home, settings)


def _job_settings(store: FileStore, state: str) -> dict[str, object]:
    """Returns the settings that a job takes along, to whichever cluster."""
    return {
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": store.uri,
        "execution.checkpointing.interval": f"{INTERVAL_S} s",
        # Flink triggers the first checkpoint this long after the first task runs: by then all of them should run. It is
        # counted from the end of a checkpoint: the period is this and the duration of one, longer than the interval.
        "execution.checkpointing.min-pause": f"{INTERVAL_S} s",
        "execution.checkpointing.timeout": "2 min",
        "execution.checkpointing.num-retained": RETAINED,
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.tolerable-failed-checkpoints": 1000,
        "restart-strategy.type": "exponential-delay",
        # By then the JobManager knows which TaskManager has died; sooner, its slot would be used once more, in vain.
        "restart-strategy.exponential-delay.initial-backoff": "800 ms",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "1 min",
        "execution.buffer-timeout.interval": "1 ms",
        **_STATE[state],
    }


def _python_settings(python: str | None) -> dict[str, object]:
    """Returns the settings of Python in a job; `python`: the one of the TaskManagers, None: this one."""
    own = str(Path(sysconfig.get_path("scripts")) / "python")
    return {
        "python.execution-mode": "thread",
        "python.executable": python or own,
        "python.client.executable": own,
    }


def _shared(home: Home) -> Path:
    """What JobManagers leave for one another: the job, and where its checkpoints lie."""
    return home.flink / "ha"


def _scratch(home: Home) -> Path:
    """Where processes of the cluster, and its client, have their temporary files."""
    return home.flink / "tmp"


def _make_private(folder: Path) -> None:
    """Make a folder anew, for its owner alone: the job lies in it, with the passwords of attached engines. What processes that
    were killed have left in it is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _yaml(value: object) -> str:
    return str(value) if isinstance(value, int) else json.dumps(str(value))


def class_archive(home: Home) -> ClassArchive:
    """Returns the archive of the classes of the cluster's processes. `configure` must have returned."""
    return flink_java.class_archive(home)


def coordinators(home: Home, ports: Ports, count: int) -> list[Service]:
    """Returns so many servers of ZooKeeper as services. `configure` must have returned."""
    java = flink_java.java(zookeeper.MEMORY, home)
    return [zookeeper.zookeeper(home, ports, number, count, java) for number in range(1, count + 1)]


def job_managers(home: Home, ports: Ports, env: dict[str, str], count: int = 1) -> list[Service]:
    """Returns so many JobManagers as services, each ready once it answers for the one that leads."""
    return [
        _job_manager(home, ports, env, number, SUCCESSOR_AFTER if count > 1 else 0.0) for number in range(1, count + 1)
    ]


def _job_manager(home: Home, ports: Ports, env: dict[str, str], number: int, restart_after: float) -> Service:
    port = ports.of("flink_rest", number)
    address = f"http://{LOOPBACK}:{port}"
    return Service(
        "jobmanager" if number == 1 else f"jobmanager-{number}",
        flink_java.command(
            flink_java.JOB_MANAGER,
            flink_java.job_manager_memory(),
            home,
            f"-Drest.port={port}",
            f"-Dhigh-availability.jobmanager.port={ports.of('flink_rpc', number)}",
        ),
        lambda: FlinkClient(address).task_managers(),
        env=env,
        cwd=home.flink,
        address=address,
        restart_after=restart_after,
    )


def task_manager(
    home: Home, ports: Ports, env: dict[str, str], number: int, state: str = MEMORY, parallelism: int = 1
) -> Service:
    """Returns TaskManager `number` as a service, ready once it has registered; `state` as for `configure`."""
    name = f"taskmanager-{number}"
    limit = flink_java.state_heap(machine_memory(), slots_of(parallelism)) if state == MEMORY else 0

    def ready() -> None:
        if not any(each["id"].startswith(name) for each in FlinkClient(ports.flink).task_managers()):
            raise Unavailable(f"{name} has not registered with the JobManager yet")

    return Service(
        name,
        flink_java.command(
            flink_java.TASK_MANAGER,
            flink_java.task_manager_memory(_MANAGED_MIB[state], limit),
            home,
            f"-Dtaskmanager.resource-id={name}",
        ),
        ready,
        env=env,
        cwd=home.flink,
        restart_after=SUCCESSOR_AFTER,
    )
