"""Each test that docs/promises.md and docs/faults.md name is there, and marked as the page says."""

import ast
import re
from functools import cache

import pytest

from infra.system.repository import REPO
from tests.promises import NAMED, PAGE, not_collected

FAULTS = (REPO / "docs" / "faults.md").read_text(encoding="utf-8")


@cache
def marks_of(path: str) -> dict[str, bool]:
    """Tests of a file, and whether each is a soak as a whole."""
    module = ast.parse((REPO / path).read_text(encoding="utf-8"))
    whole = any(
        "pytestmark" in ast.unparse(node.targets[0]) and "mark.soak" in ast.unparse(node.value)
        for node in module.body
        if isinstance(node, ast.Assign)
    )
    return {
        node.name: whole or any(ast.unparse(mark) == "pytest.mark.soak" for mark in node.decorator_list)
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize(("path", "name", "soak"), NAMED)
def test_a_test_that_is_named_is_there_and_runs_when_the_page_says(path: str, name: str, soak: bool) -> None:
    assert (REPO / path).is_file()
    assert name in marks_of(path)
    assert marks_of(path)[name] is soak


def test_every_row_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert [row for row in rows if "::test_" not in row] == []
    assert len(NAMED) > 80


def test_every_test_in_backticks_was_read() -> None:
    assert len(NAMED) == PAGE.count("::test_")


def test_a_named_test_that_a_run_leaves_out_is_found() -> None:
    """A broken parameter, or a file that no longer loads, would hide it from a run without a failure."""
    first, second = NAMED[0], next(each for each in NAMED if each.path != NAMED[0].path)
    others = [f"{each.path}::{each.name}[some-value]" for each in NAMED if each != first]
    assert not_collected(others, [first.path, second.path]) == [f"{first.path}::{first.name}"]
    assert not_collected(others, [second.path]) == []


def test_files_that_faults_names_are_there() -> None:
    rows = [line.strip("|").split(" | ")[-1] for line in FAULTS.splitlines() if line.startswith("| ")]
    named = {path for cell in rows[1:] for path in re.findall(r"tests/[\w/.]+", cell)}
    assert len(named) >= 8
    assert {path for path in named if not (REPO / path).exists()} == set()
