"""The option --home of every command."""

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from features.errors import BadInput
from infra.home.paths import Home

HomeOption = Annotated[Path, typer.Option("--home", help="The folder that holds all that Martlet keeps.")]
DEFAULT_HOME = Path(".martlet")


_UNFIT: Final = r",:!\"*?[]{}"
"""Characters that are more than themselves to whoever is told of a path: Java and Kafka split lists of paths at the first two,
Java splits what names a file in a jar at the third, Flink takes a backslash for a slash, Spark looks for what fits a pattern,
and names are written between quotes."""
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def home_of(path: Path) -> Home:
    """Returns the home that an option names. Raises BadInput for a path that not all engines take for what it is, or that
    leads nowhere."""
    try:
        home = str(path.resolve())
    except (OSError, RuntimeError) as error:  # a circle of links
        raise BadInput("--home", "a path that leads to a folder", f"{path}: {error}") from error
    if not {*_UNFIT}.isdisjoint(home) or _UNPRINTABLE.search(home):
        expected = f"a path of UTF-8 without line breaks and any of {' '.join(_UNFIT)}"
        raise BadInput("--home", expected, ascii(home) if _UNPRINTABLE.search(home) else home)
    return Home(Path(home))
