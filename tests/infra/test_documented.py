"""What README and docs tell people to type is there."""

import re

import pytest
import typer.main

from benchmarks.__main__ import app as benchmarks
from infra.cli import app
from infra.home import REPO

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
BENCHMARKS = typer.main.get_command(benchmarks).commands  # type: ignore[attr-defined]
TOLD = sorted(
    {
        tuple(words.split())
        for path in [REPO / "README.md", REPO / "CHANGELOG.md", *(REPO / "docs").glob("**/*.md")]
        for words in re.findall(r"\./martlet ([a-z][a-z-]*(?: [a-z]+)?)", path.read_text())
    }
)


@pytest.mark.parametrize("words", TOLD, ids=" ".join)
def test_a_command_that_is_told_of_is_one(words: tuple[str, ...]) -> None:
    assert words[0] in COMMANDS
    if words[0] == "bench" and len(words) > 1:
        assert words[1] in BENCHMARKS


def test_something_is_told() -> None:
    assert {("up",), ("bench", "pages")} <= set(TOLD)
