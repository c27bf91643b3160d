"""`doctor`: checks this machine for what Martlet needs, and says how to provide what is missing."""

import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil

from features.engines.loopback import is_loopback
from features.errors import MartletError, Unavailable
from infra.attached.examine import attached_findings
from infra.attached.findings import Finding
from infra.cli.local_packages import may_start, package_findings
from infra.home.paths import Home
from infra.home.running import running_status
from infra.services.api_settings import check_exposure
from infra.settings.reading import settings_of
from infra.settings.table import Settings
from infra.system.processes import ProcessId, is_free, memory_mib, port_holder
from online.support.certificate import exposure

DISK_GB, PACKAGES_GB, MEMORY_GB = 6, 3, 4
"""Requirements in 10⁹ bytes, as in the README and the launcher: disk for packages and a first start; the part of it that the
packages occupy once this runs; memory while it serves and trains."""


def examine(home: Home, port: int, print_line: Callable[[str], None]) -> bool:
    """Print one line per finding; returns True if all is well."""
    well = True

    def check(good: bool, name: str, found: str, help_: str = "") -> None:
        nonlocal well
        well = well and good
        print_line(f"{'ok     ' if good else 'MISSING'} {name}: {found}{'' if good or not help_ else f' — {help_}'}")

    def report(findings: Iterable[Finding]) -> None:
        for each in findings:
            check(not each.help, each.name, each.found, each.help)

    check(
        (3, 11) <= sys.version_info[:2] <= (3, 12) and sys.maxsize > 2**32,
        "Python", f"{platform.python_version()}, {platform.machine()}", "use a 64-bit Python 3.11 or 3.12",
    )  # fmt: skip
    settings, fault = _settings(home)
    if may_start(settings):
        report(package_findings(home, settings))
    else:
        check(True, "packages", "those of a role that starts no job: neither Java nor jars are examined, and no port")
    folder, needed = _existing(home.path), DISK_GB - PACKAGES_GB
    free = shutil.disk_usage(folder).free / 1e9
    check(free >= needed, "disk", f"{free:.0f} GB free under {folder}", f"make room: a home wants {needed} GB")
    own = _running(home)
    memory = psutil.virtual_memory().available / 1e9 + _resident_mib(own) * 2**20 / 1e9
    check(
        memory >= MEMORY_GB,
        "memory",
        f"{memory:.0f} GB available{', with what this home has taken' if own else ''}",
        f"a running Martlet wants about {MEMORY_GB} GB",
    )
    if own is not None and own["ports"]["api"] == port:
        check(True, "port", f"{port} is taken by this home's own API, which runs")
    elif may_start(settings):
        found = "is free" if is_free(port) else f"is taken by {port_holder(port)}"
        check(is_free(port), "port", f"{port} {found}", "choose another: up --port")
    try:
        check_exposure(home, settings.api)
        if not is_loopback(settings.api.host):
            check(True, "API", exposure(settings.api.host, settings.api.certificate is not None))
    except MartletError as error:
        check(False, "API", str(error))
    if fault is not None:
        check(False, "settings", fault)
        return False
    try:
        report(attached_findings(home, settings))
    except MartletError as error:
        check(False, "home", str(error))
    return well


def _settings(home: Home) -> tuple[Settings, str | None]:
    """Returns the settings of a home, and what is wrong with them: those of a home that names nothing then."""
    try:
        return settings_of(home), None
    except MartletError as error:
        return Settings(), str(error)


def _existing(path: Path) -> Path:
    """Returns the folder itself, or its nearest existing parent."""
    return next(each for each in (path, *path.parents) if each.exists())


def _running(home: Home) -> dict[str, Any] | None:
    """Returns the status of the home, or None if it does not run."""
    try:
        return running_status(home)
    except Unavailable:
        return None


def _resident_mib(status: dict[str, Any] | None) -> int:
    """Returns the resident memory of a running home's processes, MiB; 0 if none runs."""
    services = {} if status is None else status["services"]
    return sum(memory_mib(ProcessId.from_json(entry)) for entry in services.values())
