"""`doctor`: what this machine has, and what to do about what it lacks."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable

import psutil

from features.errors import MartletError
from infra import artefacts
from infra.home import Home
from infra.processes import is_free, port_holder

DISK_GIB, MEMORY_GIB = 3, 6


def examine(home: Home, port: int, say: Callable[[str], None]) -> bool:
    """Say one line a finding; True if all is well."""
    well = True

    def check(good: bool, name: str, found: str, help_: str = "") -> None:
        nonlocal well
        well = well and good
        say(f"{'ok     ' if good else 'MISSING'} {name}: {found}{'' if good or not help_ else f' — {help_}'}")

    check(
        (3, 11) <= sys.version_info[:2] <= (3, 12) and sys.maxsize > 2**32,
        "Python", f"{platform.python_version()}, {platform.machine()}", "use a 64-bit Python 3.11 or 3.12",
    )  # fmt: skip
    for name, argv in (
        ("Java runtime", [artefacts.java_home() / "bin" / "java", "-version"]),
        ("Redis server", [artefacts.redis_server(), "--version"]),
    ):
        done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, timeout=30)
        lines = (done.stdout + done.stderr).strip().splitlines()
        check(done.returncode == 0, name, lines[0] if lines else "no answer", "its package does not run on this system")
    for group in artefacts.COORDINATES:
        try:
            check(True, f"jars of {group}", f"{len(artefacts.jars(group))}, checked by digest when fetched")
        except MartletError as error:
            check(False, f"jars of {group}", str(error))
    folder = home.path if home.path.exists() else home.path.parent
    free = shutil.disk_usage(folder).free >> 30
    check(free >= DISK_GIB, "disk", f"{free} GiB free under {folder}", f"make room: a home wants {DISK_GIB} GiB")
    memory = psutil.virtual_memory().available >> 30
    check(memory >= MEMORY_GIB, "memory", f"{memory} GiB available", f"a running Martlet wants about {MEMORY_GIB} GiB")
    check(
        is_free(port),
        "port",
        f"{port} {'is free' if is_free(port) else 'is taken by ' + port_holder(port)}",
        "choose another: up --port",
    )
    return well
