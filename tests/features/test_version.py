"""One version, said everywhere."""

import tomllib

from features.version import VERSION
from infra.home import REPO


def test_the_code_and_the_project_file_say_the_same_version() -> None:
    assert tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["version"] == VERSION
