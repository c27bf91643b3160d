"""Archives of Java's classes: a program maps the classes that it needs into memory, instead of reading, checking and linking them
at each start, which takes half of the processor time of a start (Java's class data sharing, JEP 310).

An archive is made once for an environment and lies beside its jars, out of what a home's processes of the program noted, below
the home, while there was none. Java checks by itself that the archive fits the runtime and the jars; where it does not, the
program starts without.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from features.durable import atomic_file
from features.errors import Unavailable
from infra.system import packages
from infra.system.processes import Attend, lower_priority

MAKE_TIMEOUT: Final = 1800.0
"""Seconds; it takes 4 to 8 on an idle core; at the lowest priority, beside four programs that took all of two cores, it had 3 of
processor time within 120. Nothing waits for it."""
RETAINED: Final = 3
"""Archives of one program that are retained, those used last: checkouts may share an environment. One has 60 to 100 MB."""
NOTES: Final = 8
"""Processes of one program and home that note what they load, at most: what others would add is little."""
STORE: Final = packages.STORE / "classes"
_MADE_BY: Final = b"2\n"
"""How archives are made; those that were made before there was such a number may lack their program's classes."""
_NOTED_BY_LOADER: Final = " source: "
"""In the note of a class that comes from a loader of its own, which an archive does not serve."""


class ClassArchive:
    """The archive of one program.

    name     of the program
    jars     its class path, or the beginning of it, in that order
    options  what decides how classes lie in memory: the choice of the collector
    notes    the home's folder of what its processes load
    store    the environment's folder of archives
    """

    def __init__(
        self, name: str, jars: Sequence[Path], options: Sequence[str], notes: Path, store: Path = STORE
    ) -> None:
        self.name = name
        self._jars = jars
        self._options = options
        self._path = store / f"{name}-{_digest(jars, options)}.jsa"
        self._notes = notes / self._path.stem

    def java_options(self) -> list[str]:
        """Returns the options with which a process of the program uses the archive, or notes what it loads as long as there is
        none."""
        if self._path.exists():
            with contextlib.suppress(OSError):  # somebody else's environment, or a file system that is read only
                os.utime(self._path)
            return [f"-XX:SharedArchiveFile={self._path}"]
        try:
            self._notes.mkdir(parents=True, exist_ok=True)
        except OSError:
            return []
        return [f"-XX:DumpLoadedClassList={self._notes}/%p"] if len(self._noted()) < NOTES else []

    @property
    def can_be_made(self) -> bool:
        """Whether there is no archive, one may be written, and processes have noted what it is to have."""
        return not self._path.exists() and os.access(self._path.parent, os.W_OK) and bool(self._noted())

    def make(self, log: IO[Any], nice: int, attend: Attend, env: Mapping[str, str]) -> None:
        """Make the archive, if it can be made, in a process of niceness `nice` that writes to `log`, within the context `attend`.
        Of homes that make it at once the last wins. Raises Unavailable if it fails or is not done within MAKE_TIMEOUT.

        env: the variables that the program itself is started with; by another locale Java may not find its jars, and then makes
        an archive without their classes."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self.can_be_made:
            classes = self._notes.with_suffix(".classes")
            classes.write_text("".join(f"{each}\n" for each in merged(path.read_text() for path in self._noted())))
            with atomic_file(self._path) as temporary:
                self._dump(classes, temporary, log, nice, attend, env)
            _remove_unused(self._path.parent, self.name)
        if self._path.exists():
            for noted in self._notes.parent.glob(f"{self.name}-*"):
                shutil.rmtree(noted) if noted.is_dir() else noted.unlink()

    def _dump(
        self, classes: Path, target: Path, log: IO[Any], nice: int, attend: Attend, env: Mapping[str, str]
    ) -> None:
        argv: list[str | Path] = [
            packages.java_home() / "bin" / "java", "-Xshare:dump", "-Xlog:cds=off,cds+heap=off", *self._options,
            f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={target}",
            "-cp", os.pathsep.join(map(str, self._jars)),
        ]  # fmt: skip
        process = subprocess.Popen(
            argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        lower_priority(process.pid, nice)
        try:
            with attend(f"classes-{self.name}", process):
                code = process.wait(MAKE_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{self.name}: no archive of its classes within {MAKE_TIMEOUT:.0f} s") from error
        finally:
            process.kill()
            process.wait()
        if code != 0:
            raise Unavailable(f"{self.name}: no archive of its classes: Java ended with exit code {code}")

    def _noted(self) -> list[Path]:
        try:
            return sorted(self._notes.iterdir())
        except OSError:  # there are none
            return []


def merged(notes: Iterable[str]) -> list[str]:
    """Returns the classes of all notes, each once, in the order in which they were loaded; what a process was still writing is
    left out.

    >>> merged(["# loaded\\njava/lang/Object id: 0\\norg/A id: 9 super: 0 source: a.jar\\nB id: 1\\n", "B id: 4\\nC id: 5\\nD i"])
    ['java/lang/Object', 'B', 'C']
    """
    found: dict[str, None] = {}
    for note in notes:
        lines = note.split("\n")[:-1]
        for line in lines:
            if not line.startswith("#") and _NOTED_BY_LOADER not in line:
                found[line.split(" id: ")[0]] = None
    return list(found)


def _digest(jars: Sequence[Path], options: Sequence[str]) -> str:
    """Names an archive by all that Java asks to be the same: the runtime, the jars with their times, the collector;
    and by how it is made."""
    found = hashlib.sha256(_MADE_BY + (packages.java_home() / "release").read_bytes())
    for jar in jars:
        seen = jar.stat()
        found.update(f"{jar.name} {seen.st_size} {seen.st_mtime_ns}\n".encode())
    found.update(" ".join(options).encode())
    return found.hexdigest()[:16]


def _remove_unused(store: Path, name: str) -> None:
    """Remove archives that nobody has used for long."""
    archives = sorted(store.glob(f"{name}-*.jsa"), key=_used_at, reverse=True)
    for path in archives[RETAINED:]:
        path.unlink(missing_ok=True)


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has removed it
        return 0.0
