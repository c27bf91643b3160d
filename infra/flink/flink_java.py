"""Java command lines of Flink's processes, equivalent to those of Flink's own scripts.

The scripts start another Java before each process to compute its memory settings, which takes 3 s of a processor each time;
here these are constants."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.flink import java_classes
from infra.home.paths import Home
from infra.system import packages
from infra.system.class_archive import ClassArchive

JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

_METASPACE, _OVERHEAD, _NETWORK, _FRAMEWORK, _TASK_OFF_HEAP, _TASK_HEAP = 192, 192, 48, 128, 64, 384
"""MiB, of a TaskManager; _HEAP and _OFF_HEAP are the JobManager's."""
_CODE_CACHE = 128
"""MiB of address space, a part of _OVERHEAD; some 40 are used."""
_HEAP, _OFF_HEAP = 384, 128
_HEAPS_SHARE, _LARGEST_HEAP = 8, 2048
"""Part of the machine's memory that all heaps with the job's state may take, and MiB that one may: a full collection stops a
TaskManager for the longer the more there is, and one that is silent for 5 s is taken for dead."""

_COLLECTOR = "-XX:+UseSerialGC"

# Packages that Flink's own classes access by reflection under Java 21.
_OPENS = (
    "lang",
    "net",
    "io",
    "nio",
    "lang.reflect",
    "text",
    "time",
    "util",
    "util.concurrent",
    "util.concurrent.atomic",
    "util.concurrent.locks",
)


def options() -> list[str]:
    """Returns the options of every Java that runs Flink, its clients included."""
    return [
        *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENS),
        "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
        "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
        "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
        # Compiling again what runs often, and better, took a core for minutes after each start, and gave nothing that
        # could be measured: the work is Python's (decision 0017). The heaps are small.
        "-XX:TieredStopAtLevel=1",
        _COLLECTOR,
        # Else each process stops for full collections in its first minutes, whenever its code or its classes outgrow what is
        # reserved for them at the start.
        f"-XX:ReservedCodeCacheSize={_CODE_CACHE}m",
        f"-XX:MetaspaceSize={_METASPACE - 32}m",
    ]


@dataclass(frozen=True)
class Memory:
    """Memory division of a process: `settings` for Flink's configuration, `java` for its command line."""

    settings: Mapping[str, str]
    java: tuple[str, ...]


def job_manager_memory() -> Memory:
    """Returns the JobManager's memory: 896 MiB in all."""
    sizes = {
        "heap.size": _HEAP,
        "off-heap.size": _OFF_HEAP,
        "jvm-metaspace.size": _METASPACE,
        "jvm-overhead.min": _OVERHEAD,
        "jvm-overhead.max": _OVERHEAD,
    }
    java = (f"-Xmx{_HEAP}m", f"-Xms{_HEAP}m", f"-XX:MaxMetaspaceSize={_METASPACE}m")
    return Memory({f"jobmanager.memory.{name}": f"{size}m" for name, size in sizes.items()}, java)


def state_heap(memory: int, count: int) -> int:
    """Returns the MiB to which the heap of each of `count` TaskManagers may grow that have state there, on a machine of so much
    memory (bytes).

    >>> [state_heap(gib << 30, 2) for gib in (4, 8, 24, 128)], state_heap(24 << 30, 8)
    ([512, 512, 1536, 2048], 512)
    """
    return min(max((memory // _HEAPS_SHARE >> 20) // count, _FRAMEWORK + _TASK_HEAP), _LARGEST_HEAP)


def task_manager_memory(managed: int, heap_limit: int = 0) -> Memory:
    """Returns a TaskManager's memory: 1136 MiB plus `managed` MiB, which Flink manages for RocksDB and Python. heap_limit: MiB to
    which its heap may grow, if these are more than what it begins with."""
    sizes = {
        "framework.heap.size": _FRAMEWORK,
        "task.heap.size": _TASK_HEAP,
        "managed.size": managed,
        "framework.off-heap.size": _FRAMEWORK,
        "task.off-heap.size": _TASK_OFF_HEAP,
        "network.min": _NETWORK,
        "network.max": _NETWORK,
        "jvm-metaspace.size": _METASPACE,
        "jvm-overhead.min": _OVERHEAD,
        "jvm-overhead.max": _OVERHEAD,
    }
    heap, direct = _FRAMEWORK + _TASK_HEAP, _FRAMEWORK + _TASK_OFF_HEAP + _NETWORK
    java = (
        f"-Xmx{max(heap, heap_limit)}m",
        f"-Xms{heap}m",
        f"-XX:MaxDirectMemorySize={direct}m",
        f"-XX:MaxMetaspaceSize={_METASPACE}m",
    )
    settings = {f"taskmanager.memory.{name}": f"{size}m" for name, size in sizes.items()}
    return Memory(settings | {"taskmanager.cpu.cores": "1.0", "external-resources": "none"}, java)


def class_archive(home: Home) -> ClassArchive:
    """Returns the archive of the classes of Flink's processes, whose jars must lie in the home's folder of them."""
    return ClassArchive("flink", _archived_jars(home.flink_lib), [_COLLECTOR], home.classes)


def _archived_jars(lib: Path) -> list[Path]:
    """Returns all jars but the job's own, which changes with its sources."""
    jars = set(lib.glob("*.jar")).difference(java_classes.jars_in(lib))
    return sorted(jars, key=lambda jar: (jar.name.startswith("flink-dist"), jar.name))


def java(options_of_own: Sequence[str], home: Home) -> tuple[str | Path, ...]:
    """Returns the command line of one process up to the name of its main class. The home's Flink must be configured."""
    archived = _archived_jars(home.flink_lib)
    others = [jar for jar in home.flink_lib.glob("*.jar") if jar not in archived]
    return (
        packages.java_home() / "bin" / "java",
        *options_of_own,
        *options(),
        *class_archive(home).java_options(),
        "-Djava.security.manager=allow",
        f"-Dlog4j.configurationFile={(home.flink_conf / 'log4j-console.properties').as_uri()}",
        "-classpath",
        os.pathsep.join(map(str, [*archived, *others])),
    )


def command(main: str, memory: Memory, home: Home, *arguments: str) -> tuple[str | Path, ...]:
    """Returns the command line of one process: `main` is JOB_MANAGER or TASK_MANAGER."""
    return (*java(memory.java, home), main, "--configDir", home.flink_conf, *arguments)
