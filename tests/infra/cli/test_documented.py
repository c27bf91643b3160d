"""What README and docs tell people to type is there."""

import re
from typing import Any

import pytest
import typer.main

from benchmarks.__main__ import app as benchmarks
from infra.cli.main import app
from infra.system.repository import REPO

COMMANDS: Any = typer.main.get_command(app)
BENCHMARKS: Any = typer.main.get_command(benchmarks)
TOLD = sorted(
    {
        tuple(words.split())
        for path in [*REPO.glob("*.md"), *(REPO / "docs").glob("**/*.md")]
        for words in re.findall(r"\./martlet ([a-z][a-z-]*(?: [a-z]+)?)", path.read_text())
    }
)


@pytest.mark.parametrize("words", TOLD, ids=" ".join)
def test_a_command_that_is_told_of_is_one(words: tuple[str, ...]) -> None:
    assert words[0] in COMMANDS.commands
    if words[0] == "bench" and len(words) > 1:
        assert words[1] in BENCHMARKS.commands


def test_something_is_told() -> None:
    assert {("up",), ("bench", "pages")} <= set(TOLD)
