"""What the gate runs beside lint and types: examples of docstrings, and the pages' types where node is."""

from pathlib import Path

import pytest

from infra import gate


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_modules_that_show_an_example_are_found_and_no_other() -> None:
    found = gate.modules_with_examples()
    assert "features/decay.py" in found
    assert not [path for path in found if path.startswith((".", "tests/", "node_modules/"))]


def example(says: str) -> str:
    return f'"""Adds.\n\n    >>> 1 + 1\n    {says}\n"""\n'


@pytest.mark.parametrize(("says", "code"), [("2", 0), ("3", 1)])
def test_an_example_that_says_otherwise_is_a_failure(says: str, code: int, tmp_path: Path) -> None:
    write(tmp_path, "features/sums.py", example(says))
    assert gate.check_examples(tmp_path) == code


@pytest.mark.parametrize("text", ["", '# >>> 1\nX = """ >>"""\n'])
def test_that_no_example_is_there_is_a_failure(text: str, tmp_path: Path) -> None:
    write(tmp_path, "features/sums.py", text)
    write(tmp_path, "tests/sums.py", example("2"))
    assert gate.check_examples(tmp_path) != 0


def test_where_node_is_missing_the_gate_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gate.check_pages() == 0
    assert capsys.readouterr().out == "gate: pages: NOT CHECKED, since node and npm are not both on PATH\n"
