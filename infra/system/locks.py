"""Lock files of Python packages and the versions that they pin."""

import re
from pathlib import Path
from typing import NamedTuple

from infra.system.repository import REPO

MAIN_LOCK = REPO / "requirements.lock"
FOLDER = REPO / "requirements"
_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[a-z0-9,-]+\])?==([^\s;]+)", re.MULTILINE)


class Pin(NamedTuple):
    """A package at one version; the name as registries normalise it."""

    name: str
    version: str


def pins(lock: Path) -> set[Pin]:
    """Returns what a lock pins for any platform; a package may have two versions, for two platforms."""
    return {Pin(name, version) for name, version in _PIN.findall(lock.read_text())}
