"""The job's own Java classes (`streaming/java`): compiled on first use by Eclipse's compiler, on the runtime that Flink has.

The jar is stored with the virtual environment and named by what it was made of, so a second start compiles nothing, and changed
sources are compiled again.
"""

import contextlib
import hashlib
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from features.durable import atomic_file
from features.errors import Broken
from infra.services.environment import python_env
from infra.system import packages
from infra.system.repository import REPO

SOURCES = REPO / "streaming" / "java"
COMPILE_TIMEOUT = 120.0
"""Seconds; it takes 2 on an idle core."""
RETAINED = 8
"""Jars that are retained, those used last: checkouts may share an environment."""
_NAME = "martlet-streaming"
_LANGUAGE = "21"
"""Of the Java runtime, `packages.java_home`."""


def jar(sources: Path = SOURCES, store: Path = packages.STORE / "java", limit: int = RETAINED) -> Path:
    """Returns the jar of the classes in the folder `sources`, from the folder `store`, which retains `limit`. Raises Broken
    with the compiler's words if they do not compile, Unavailable if the compiler cannot be fetched."""
    files = sorted(sources.glob("*.java"))
    classpath = [*sorted((packages.flink_home() / "lib").glob("flink-dist-*.jar")), *packages.jars("connector")]
    path = store / f"{_NAME}-{_digest(files, classpath)}.jar"
    if path.exists():
        with contextlib.suppress(OSError):  # somebody else's environment, or a file system that is read only
            os.utime(path)
    else:
        store.mkdir(parents=True, exist_ok=True)
        _compile(files, classpath, path)
        _remove_unused(store, limit)
    return path


def _digest(files: Sequence[Path], classpath: Sequence[Path]) -> str:
    """Names a jar by its sources, the compiler, and what the sources are compiled against."""
    found = hashlib.sha256(_LANGUAGE.encode())
    for path in (*packages.jars("compiler"), *classpath):
        found.update(f"{path.name}\n".encode())
    for path in files:
        content = path.read_bytes()
        found.update(f"{path.name} {len(content)}\n".encode() + content)
    return found.hexdigest()[:16]


def _compile(files: Sequence[Path], classpath: Sequence[Path], target: Path) -> None:
    (compiler,) = packages.jars("compiler")
    with tempfile.TemporaryDirectory() as scratch:
        argv: list[str | Path] = [
            packages.java_home() / "bin" / "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", compiler,
            "-source", _LANGUAGE, "-target", _LANGUAGE, "-encoding", "UTF-8", "-proc:none", "-d", scratch,
            "-classpath", os.pathsep.join(map(str, classpath)), *files,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                argv,
                env=python_env(),
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=COMPILE_TIMEOUT,
            )
        except subprocess.TimeoutExpired as error:
            raise Broken(f"{files[0].parent}: not compiled within {COMPILE_TIMEOUT:.0f} s") from error
        if done.returncode != 0:
            raise Broken(f"{files[0].parent} does not compile:\n{(done.stderr or done.stdout).strip()[:4000]}")
        with atomic_file(target) as temporary:
            _pack(Path(scratch), temporary)


def _pack(classes: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes))


def jars_in(folder: Path) -> list[Path]:
    """Returns the jars of the classes that lie in a folder, of any version."""
    return list(folder.glob(f"{_NAME}-*.jar"))


def _remove_unused(folder: Path, limit: int) -> None:
    jars = sorted(jars_in(folder), key=lambda each: each.stat().st_mtime, reverse=True)
    for path in jars[limit:]:
        path.unlink(missing_ok=True)
