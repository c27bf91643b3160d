"""What README and docs tell people to type is there."""

import re

import pytest
import typer.main

from infra.cli import app
from infra.home import REPO

COMMANDS = typer.main.get_command(app)
TOLD = sorted(
    {
        tuple(words.split())
        for path in [*REPO.glob("*.md"), *(REPO / "docs").glob("**/*.md")]
        for words in re.findall(r"\./martlet ([a-z][a-z-]*(?: [a-z]+)?)", path.read_text())
    }
)


@pytest.mark.parametrize("words", TOLD, ids=" ".join)
def test_a_command_that_is_told_of_is_one(words: tuple[str, ...]) -> None:
    there = COMMANDS.commands  # type: ignore[attr-defined]
    assert words[0] in there
    if words[0] == "bench" and len(words) > 1:
        assert words[1] in there["bench"].commands


def test_something_is_told() -> None:
    assert {("up",), ("bench", "pages")} <= set(TOLD)
