"""Tests go through the product's doors: none reads a private name of it, none replaces a part of it."""

import ast
from collections.abc import Iterator, Mapping

import pytest

from tests.test_architecture import LAYERS, REPO, product_sources

NAMED_TUPLES = frozenset({"_replace", "_asdict", "_fields"})
"""Public names of every named tuple."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names(sources: Mapping[str, str]) -> frozenset[str]:
    """Names with an underscore that the product defines or sets."""
    found = set[str]()
    for text in sources.values():
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    found.add(name)
    return frozenset(filter(is_private, found)) - NAMED_TUPLES


def imported(tree: ast.AST) -> frozenset[str]:
    """The names by which a test has the product's modules and what they define."""
    found = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] in LAYERS:
                found |= {each.asname or each.name for each in names}
            case ast.Import(names=names):
                found |= {
                    each.asname or each.name.partition(".")[0]
                    for each in names
                    if each.name.partition(".")[0] in LAYERS
                }
    return frozenset(found)


def breaches(path: str, text: str, private: frozenset[str]) -> Iterator[str]:
    """Yields what a test does beside the product's doors."""
    tree = ast.parse(text)
    of_product = imported(tree)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] in LAYERS:
                yield from (f"{path}:{node.lineno} imports {each.name}" for each in names if is_private(each.name))
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if name in private:
                yield f"{path}:{node.lineno} reads {name}"
            case ast.Attribute(value=ast.Name(id=owner), attr=name, ctx=ast.Store()) if owner in of_product:
                yield f"{path}:{node.lineno} replaces {name} of {owner}"
            case ast.Call(
                func=ast.Attribute(attr="setattr" | "setitem" | "delattr"), args=[target, ast.Constant(str(name)), *_]
            ):
                if ast.unparse(target).partition(".")[0] in of_product and not name.startswith("__"):
                    yield f"{path}:{node.lineno} replaces {name} of {ast.unparse(target)}"
            case ast.Call(func=ast.Attribute(attr="setattr"), args=[ast.Constant(str(name)), *_]):
                if name.partition(".")[0] in LAYERS:
                    yield f"{path}:{node.lineno} replaces {name}"


def test_no_test_reaches_behind_the_products_public_names() -> None:
    private = private_names(product_sources(REPO))
    tests = sorted(file for file in (REPO / "tests").rglob("*.py") if "__pycache__" not in file.parts)
    assert [
        each for file in tests for each in breaches(file.relative_to(REPO).as_posix(), file.read_text(), private)
    ] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from online.a import _b", "t.py:1 imports _b"),
        ("x = thing._rows", "t.py:1 reads _rows"),
        ("thing._rows = 3", "t.py:1 reads _rows"),
        ("from infra import a\nmonkeypatch.setattr(a, 'LIMIT', 3)", "t.py:2 replaces LIMIT of a"),
        ("from infra.a import TABLE\nmonkeypatch.setitem(TABLE, 'x', 3)", "t.py:2 replaces x of TABLE"),
        ("from infra import a\na.LIMIT = 3", "t.py:2 replaces LIMIT of a"),
        ("import infra.a\nmonkeypatch.setattr(infra.a, 'LIMIT', 3)", "t.py:2 replaces LIMIT of infra.a"),
        ("monkeypatch.setattr('infra.a.LIMIT', 3)", "t.py:1 replaces infra.a.LIMIT"),
    ],
)
def test_what_reaches_behind_them_is_found(text: str, expected: str) -> None:
    assert list(breaches("t.py", text, frozenset({"_rows"}))) == [expected]


def test_what_stays_before_them_passes() -> None:
    text = "self._rows = 1\nx._replace(a=1)\nimport os, sys\nmonkeypatch.setattr(os, 'link', 1)"
    assert list(breaches("t.py", text, frozenset({"_rows"}))) == []


def test_private_names_are_those_that_the_product_defines() -> None:
    text = "_A: int = 1\nclass _B:\n    def _c(self):\n        self._d = x._other\n        return y._replace(__e=1)"
    assert private_names({"a.py": text}) == {"_A", "_B", "_c", "_d"}
