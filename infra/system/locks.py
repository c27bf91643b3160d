"""The locks of Python packages: what each of them pins."""

import re
from pathlib import Path
from typing import NamedTuple

from infra.system.repository import REPO

WHOLE = REPO / "requirements.lock"
FOLDER = REPO / "requirements"
_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[a-z0-9,-]+\])?==([^\s;]+)", re.MULTILINE)


class Pin(NamedTuple):
    """A package at one version; the name as registries normalise it."""

    name: str
    version: str


def pins(lock: Path) -> set[Pin]:
    """What a lock pins, for whichever platform. A package may stand there at two versions, for two platforms."""
    return {Pin(name, version) for name, version in _PIN.findall(lock.read_text())}
