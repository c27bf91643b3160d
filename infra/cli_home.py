"""The home that a command is told, and what runs in it."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import Unavailable
from infra.home import Home, read_json
from infra.processes import ProcessId

HomeOption = Annotated[Path, typer.Option("--home", help="The folder that holds all that Martlet keeps.")]
DEFAULT_HOME = Path(".martlet")


def home_of(path: Path) -> Home:
    return Home(path.resolve())


def running_status(home: Home) -> dict[str, object]:
    status = read_json(home.status_file)
    if status is None or ProcessId.from_json(status["supervisor"]).process() is None:
        raise Unavailable(f"nothing runs in {home.path}; start it with: ./martlet up --detach --home {home.path}")
    return status


def ports_of(home: Home) -> dict[str, int]:
    ports = running_status(home)["ports"]
    assert isinstance(ports, dict)
    return ports
