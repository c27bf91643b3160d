"""What README and docs tell people to type is there: commands, and each command's options."""

import re
from contextlib import redirect_stdout, suppress
from io import StringIO
from typing import Any

import pytest
import typer.main

from benchmarks.__main__ import app as benchmarks
from infra.cli.main import app
from infra.system.repository import REPO
from models.server import flags

COMMANDS: Any = typer.main.get_command(app)
BENCHMARKS: Any = typer.main.get_command(benchmarks)
TEXTS = {
    path.relative_to(REPO).as_posix(): path.read_text(encoding="utf-8")
    for path in [*REPO.glob("*.md"), *(REPO / "docs").glob("**/*.md")]
    if path.name != "CHANGELOG.md"  # which tells of what there was, too
}
DOCUMENTS = sorted(
    {
        tuple(words.split())
        for text in TEXTS.values()
        for words in re.findall(r"\./martlet ([a-z][a-z-]*(?: [a-z]+)?)", text)
    }
)
OTHERS = {"--require-hashes", "--no-deps", "--upgrade-package", "--upgrade", "--settings", "--stage"}
"""Options of other programs: uv, requirements/relock.sh, `python -m online`, pytest."""
EVERYWHERE = {"--help", "-h"}


def options_of(command: Any) -> set[str]:
    return EVERYWHERE | {option for each in command.params for option in each.opts}


def model_server_options() -> set[str]:
    """Those that its --help lists."""
    with redirect_stdout(StringIO()) as documented, suppress(SystemExit):
        flags.parse(["--help"])
    return EVERYWHERE | set(re.findall(r"--[a-z_]+", documented.getvalue()))


def documented_options() -> list[tuple[str, str, str]]:
    """(page, command, option) of each option behind a command in code: `./martlet up --detach`, `up --detach`."""
    found = set()
    for page, text in TEXTS.items():
        for code in [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^.*\./martlet .*$", text, re.MULTILINE)]:
            for part in re.split(r"&&|#|\$ ", code):
                words = part.split()
                if words and words[0] == "./martlet":
                    words = words[1:]
                if words and words[0] in COMMANDS.commands:
                    name = (
                        " ".join(words[:2])
                        if words[:1] == ["bench"] and words[1:2] and words[1][0] != "-"
                        else words[0]
                    )
                    found |= {(page, name, option) for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", part)}
    return sorted(found)


def known_options(command: str) -> set[str]:
    if command == "model-server":
        return model_server_options()
    if command.startswith("bench"):
        return options_of(BENCHMARKS.commands[command.split()[1]] if " " in command else BENCHMARKS)
    return options_of(COMMANDS.commands[command])


@pytest.mark.parametrize("words", DOCUMENTS, ids=" ".join)
def test_a_command_that_is_told_of_is_one(words: tuple[str, ...]) -> None:
    assert words[0] in COMMANDS.commands
    if words[0] == "bench" and len(words) > 1:
        assert words[1] in BENCHMARKS.commands


@pytest.mark.parametrize(("page", "command", "option"), documented_options())
def test_an_option_that_is_told_of_is_one_of_its_command(page: str, command: str, option: str) -> None:
    assert option in known_options(command), f"{page} names {option} of {command}"


def test_an_option_that_stands_alone_is_one_of_some_command() -> None:
    every = OTHERS | model_server_options() | options_of(COMMANDS) | options_of(BENCHMARKS)
    for group in (COMMANDS, BENCHMARKS):
        every |= {option for command in group.commands.values() for option in options_of(command)}
    alone = {
        (page, option)
        for page, text in TEXTS.items()
        for option in re.findall(r"`(--[a-z][\w-]*)", text)
        if option not in every
    }
    assert alone == set()


def test_something_is_told() -> None:
    assert {("up",), ("bench", "pages")} <= set(DOCUMENTS)
    assert {("README.md", "replay", "--late"), ("README.md", "evaluate", "--peers")} <= set(documented_options())
