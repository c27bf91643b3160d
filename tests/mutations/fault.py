"""A planted fault, and the tests that must catch it."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPO: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Fault:
    """
    name    what is wrong then, as a sentence
    path    the file, from the repository's root
    old     the text that is replaced: it stands in the file exactly once
    new     what stands there instead
    tests   names of test functions, any of which must fail; wherever they are
    slow    a test that catches it where none of the quick ones does; it needs services, and is not run here
    """

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...] = ()
    slow: str = ""

    def problem(self, root: Path = REPO) -> str | None:
        """Why the fault can't be planted; None if it can."""
        file = root / self.path
        if not file.is_file():
            return f"{self.path}: no such file"
        text = file.read_text()
        if (count := text.count(self.old)) != 1:
            return f"{self.path}: expected the text once, got it {count} times: {self.old!r}"
        try:
            if file.suffix == ".py":
                ast.parse(text.replace(self.old, self.new))
        except SyntaxError as error:
            return f"{self.path}: expected Python with the fault in it, got {error.msg} in line {error.lineno}"
        return None

    def plant(self, root: Path) -> str:
        """Make the tree at `root` wrong; the file's text as it was. Raises ValueError where that can't be done."""
        if (problem := self.problem(root)) is not None:
            raise ValueError(problem)
        file = root / self.path
        whole = file.read_text()
        file.write_text(whole.replace(self.old, self.new))
        return whole


def ids_by_name(root: Path) -> dict[str, list[str]]:
    """Name of each test function, or method → what pytest is given to run it, from `root`."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        file = str(path.relative_to(root))
        for node in ast.parse(path.read_text()).body:
            inside = node.body if isinstance(node, ast.ClassDef) else [node]
            prefix = f"{file}::{node.name}" if isinstance(node, ast.ClassDef) else file
            for each in inside:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name.startswith("test_"):
                    found.setdefault(each.name, []).append(f"{prefix}::{each.name}")
    return found


def ids_of(fault: Fault, tests: dict[str, list[str]]) -> list[str]:
    """What pytest is given to run a fault's tests. Raises KeyError for one that is not there."""
    return [each for name in fault.tests for each in tests[name]]
