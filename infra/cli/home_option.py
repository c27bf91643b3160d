"""The option --home of every command."""

from pathlib import Path
from typing import Annotated

import typer

from infra.home.paths import Home

HomeOption = Annotated[Path, typer.Option("--home", help="The folder that holds all that Martlet keeps.")]
DEFAULT_HOME = Path(".martlet")


def home_of(path: Path) -> Home:
    return Home(path.resolve())
