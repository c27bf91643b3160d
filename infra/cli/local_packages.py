"""What `doctor` finds of the packages beside Python on this machine: of those alone that `up` or `job` needs here."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from features.errors import MartletError
from infra.attached.findings import Finding, away, refused, well
from infra.home.paths import Home
from infra.services.redis_program import own_program
from infra.settings.addresses import program_in
from infra.settings.table import Settings
from infra.system import packages

TIMEOUT: Final = 30.0


def may_start(settings: Settings) -> bool:
    """Returns whether `up` or `job` may start here: an environment without PyFlink, as the images of `api` and `watch` have, can
    only use what runs elsewhere."""
    return settings.flink.address is None or packages.has_flink()


def package_findings(home: Home, settings: Settings, store: Path = packages.STORE) -> Iterator[Finding]:
    """Yields what is found of the Java runtime, and of the Redis server and the jars of engines that are not attached. store: the
    folder that jars are fetched into."""
    yield _program("Java runtime", lambda: packages.java_home() / "bin" / "java", "-version")
    if settings.redis.url is None:
        yield _program("Redis server", lambda: _redis_server(home, settings.redis.server), "--version")
    started = () if settings.kafka.bootstrap is not None else ("kafka",)
    for group in (*started, "connector", "compiler"):  # these two are the job's, wherever Flink is
        yield _jars(group, store)


def _redis_server(home: Home, named: str | None) -> Path:
    return packages.redis_server() if named is None else own_program(program_in(home, named) or Path(named))


def _program(name: str, find: Callable[[], Path], option: str) -> Finding:
    """Returns what a program says of its version. find: returns its path, or raises why there is none."""
    help_ = "its package does not run on this system"
    try:
        argv = [str(find()), option]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, errors="replace")
    except (MartletError, OSError, subprocess.TimeoutExpired) as error:
        return away(name, str(error), "`up` needs it")
    lines = (done.stdout + done.stderr).strip().splitlines() or ["no answer"]
    return well(name, lines[0]) if done.returncode == 0 else refused(name, "a program that runs", lines[0], help_)


def _jars(group: str, store: Path) -> Finding:
    name = f"jars of {group}"
    try:
        return well(name, f"{len(packages.jars(group, store))}, checked by digest when fetched")
    except (MartletError, OSError) as error:
        return away(name, str(error), f"`up` needs them, and fetches them once into {store}")
