"""compose.yaml as the tests read it: with its variables' defaults, service by service."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from infra.system.repository import REPO

FOLDER: Final = REPO / "infra" / "containers"
COMPOSE: Final = FOLDER / "compose.yaml"
_VARIABLE: Final = re.compile(r"\$\{\w+:-([^}]*)\}")
ROLES: Final = ("job", "watch", "api")
"""Services that run a role of ours all the time."""


def compose() -> dict[str, Any]:
    """The file, where no variable of its own is set."""
    loaded: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(r"\1", COMPOSE.read_text()))
    return loaded


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


def environment(name: str) -> dict[str, str]:
    return dict(service(name).get("environment", {}))


def needed_by(name: str) -> set[str]:
    """The services that a service depends on, and those that they depend on: they start before it, and stop after it."""
    direct = set(service(name).get("depends_on", {}))
    return direct.union(*(needed_by(each) for each in direct))


def option(name: str, flag: str) -> str:
    """What follows a flag in a service's command, or stands behind its equals sign."""
    command: list[str] = service(name)["command"]
    for number, word in enumerate(command):
        if word == flag:
            return command[number + 1]
        if word.startswith(f"{flag}="):
            return word.removeprefix(f"{flag}=")
    raise AssertionError(f"{name} has no {flag}")


def mounts(name: str) -> Iterator[tuple[str, str, str]]:
    """Source, target and mode of each volume of a service."""
    for text in service(name).get("volumes", []):
        source, target, *mode = text.split(":")
        yield source, target, mode[0] if mode else "rw"


def mounted_files() -> Iterator[Path]:
    """Files of the repository that services read."""
    for name in compose()["services"]:
        for source, _, _ in mounts(name):
            if source.startswith("."):
                yield (FOLDER / source).resolve()
