"""One version, though it is written where the packaging reads it and where the code does."""

import tomllib
from pathlib import Path

from features.version import VERSION

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_code_tells_the_version_of_pyproject() -> None:
    assert tomllib.loads(PYPROJECT.read_text())["project"]["version"] == VERSION
