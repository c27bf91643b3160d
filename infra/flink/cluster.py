"""The Flink session cluster of a home, from the distribution inside the apache-flink wheel."""

import os
import sysconfig
from pathlib import Path

from features.errors import Unavailable
from infra.flink import flink_java
from infra.flink.checkpoints import RETAINED
from infra.flink.client import FlinkClient
from infra.home.paths import Home
from infra.home.ports import LOOPBACK, Ports
from infra.services.environment import python_env
from infra.services.service import Service
from infra.system import packages
from infra.system.repository import REPO


def task_managers(parallelism: int) -> int:
    """Returns the number of TaskManagers: for each degree of parallelism one for the user fold and one for source and items,
    since two Python operators in one JVM would share one GIL; and a standby, which takes over the tasks of one that dies at
    once."""
    return 2 * parallelism + 1


_LOG4J = """rootLogger.level = INFO
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
    # In the heap: fastest, for up to some 100,000 users. Each checkpoint writes all of it.
    MEMORY: {"state.backend.type": "hashmap"},
    # On disk with a cache in managed memory, checkpoints incremental: for millions of users.
    ROCKSDB: {"state.backend.type": "rocksdb", "execution.checkpointing.incremental": "true"},
}
_MANAGED_MIB = {MEMORY: 16, ROCKSDB: 160}


def configure(home: Home, ports: Ports, state: str = MEMORY) -> dict[str, str]:
    """Write the cluster's configuration, with state in MEMORY or ROCKSDB; returns the environment variables of its processes
    and its client."""
    conf, lib = _conf(home), _lib(home)
    conf.mkdir(parents=True, exist_ok=True)
    settings = {
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": ports.flink_rpc,
        "jobmanager.bind-host": LOOPBACK,
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": ports.flink_rest,
        "web.submit.enable": "false",
        "web.cancel.enable": "false",
        "taskmanager.bind-host": LOOPBACK,
        "taskmanager.host": LOOPBACK,
        "taskmanager.numberOfTaskSlots": 1,
        "heartbeat.interval": "500 ms",
        "heartbeat.timeout": "5 s",
        # All start together: a TaskManager that finds no JobManager yet retries soon, not after 10 s.
        "cluster.registration.error-delay": "500 ms",
        "cluster.registration.refused-registration-delay": "1 s",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": home.checkpoints.as_uri(),
        "execution.checkpointing.interval": "10 s",
        # Flink triggers the first checkpoint this long after the first task runs: by then all of them should run. It is
        # counted from the end of a checkpoint: the period is this and the duration of one, longer than the interval.
        "execution.checkpointing.min-pause": "10 s",
        "execution.checkpointing.timeout": "2 min",
        "execution.checkpointing.num-retained": RETAINED,
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.tolerable-failed-checkpoints": 1000,
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "200 ms",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "1 min",
        "execution.buffer-timeout.interval": "1 ms",
        "python.execution-mode": "thread",
        "python.executable": str(Path(sysconfig.get_path("scripts")) / "python"),
        "python.client.executable": str(Path(sysconfig.get_path("scripts")) / "python"),
        "env.java.opts.all": " ".join(flink_java.options()),
        "env.log.dir": str(home.logs),
        "env.pid.dir": str(home.run / "flink"),
        "io.tmp.dirs": str(home.flink / "tmp"),
        "web.tmpdir": str(home.flink / "tmp"),
        **flink_java.job_manager_memory().settings,
        **flink_java.task_manager_memory(_MANAGED_MIB[state]).settings,
        **_STATE[state],
    }
    (home.flink / "tmp").mkdir(exist_ok=True)
    (home.run / "flink").mkdir(exist_ok=True)
    (conf / "config.yaml").write_text("".join(f"{key}: {_yaml(value)}\n" for key, value in settings.items()))
    for name in ("log4j-console.properties", "log4j.properties", "log4j-cli.properties"):
        (conf / name).write_text(_LOG4J)
    for name in ("masters", "workers"):
        (conf / name).write_text(f"{LOOPBACK}\n")
    _link_lib(lib)
    return python_env(
        {
            # Without FLINK_HOME, pyflink looks for it and resets FLINK_LIB_DIR on the way.
            "FLINK_HOME": str(packages.flink_home()),
            "FLINK_CONF_DIR": str(conf),
            "FLINK_LIB_DIR": str(lib),
            "FLINK_PLUGINS_DIR": str(packages.flink_home() / "plugins"),
            "FLINK_LOG_DIR": str(home.logs),
            "FLINK_IDENT_STRING": "martlet",
            "PYTHONPATH": os.pathsep.join([str(REPO), sysconfig.get_path("purelib")]),
        }
    )


def _conf(home: Home) -> Path:
    return home.flink / "conf"


def _lib(home: Home) -> Path:
    return home.flink / "lib"


def _yaml(value: object) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'


def _link_lib(lib: Path) -> None:
    """Make a lib folder of links to Flink's own jars, flink-python and the connector. Listed in pipeline.jars instead, they would
    be loaded anew for every job, and the second job on a TaskManager would fail."""
    lib.mkdir(parents=True, exist_ok=True)
    for link in lib.iterdir():
        link.unlink()
    flink = packages.flink_home()
    for jar in [
        *(flink / "lib").glob("*.jar"),
        *(flink / "opt").glob("flink-python-*.jar"),
        *packages.jars("connector"),
    ]:
        (lib / jar.name).symlink_to(jar)


def job_manager(home: Home, ports: Ports, env: dict[str, str]) -> Service:
    return Service(
        "jobmanager",
        flink_java.command(flink_java.JOB_MANAGER, flink_java.job_manager_memory(), _conf(home), _lib(home)),
        lambda: FlinkClient(ports.flink).task_managers(),
        env=env,
        cwd=home.flink,
        address=ports.flink,
    )


def task_manager(home: Home, ports: Ports, env: dict[str, str], number: int, state: str = MEMORY) -> Service:
    """Returns TaskManager `number` as a service, ready once it has registered; `state` as for `configure`."""
    name = f"taskmanager-{number}"

    def ready() -> None:
        if not any(each["id"].startswith(name) for each in FlinkClient(ports.flink).task_managers()):
            raise Unavailable(f"{name} has not registered with the JobManager yet")

    return Service(
        name,
        flink_java.command(
            flink_java.TASK_MANAGER,
            flink_java.task_manager_memory(_MANAGED_MIB[state]),
            _conf(home),
            _lib(home),
            f"-Dtaskmanager.resource-id={name}",
        ),
        ready,
        env=env,
        cwd=home.flink,
    )
