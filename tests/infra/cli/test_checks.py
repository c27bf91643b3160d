"""What the gate runs beside lint and types: examples of docstrings, and the pages' types where node is."""

from pathlib import Path

import pytest

from infra.cli import checks


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_modules_that_show_an_example_are_found_and_no_other() -> None:
    found = checks.modules_with_examples()
    assert "features/fold/decay.py" in found
    assert not [path for path in found if path.startswith((".", "tests/", "node_modules/"))]


def example(output: str) -> str:
    return f'"""Adds.\n\n    >>> 1 + 1\n    {output}\n"""\n'


@pytest.mark.parametrize(("output", "code"), [("2", 0), ("3", 1)])
def test_an_example_that_says_otherwise_is_a_failure(output: str, code: int, tmp_path: Path) -> None:
    write(tmp_path, "features/sums.py", example(output))
    assert checks.check_examples(tmp_path) == code


@pytest.mark.parametrize("text", ["", '# >>> 1\nX = """ >>"""\n'])
def test_that_no_example_is_there_is_a_failure(text: str, tmp_path: Path) -> None:
    write(tmp_path, "features/sums.py", text)
    write(tmp_path, "tests/sums.py", example("2"))
    assert checks.check_examples(tmp_path) != 0


def test_where_node_is_missing_the_gate_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks.check_pages() == 0
    assert capsys.readouterr().out == "gate: pages: NOT CHECKED, since node and npm are not both on PATH\n"


@pytest.mark.parametrize("ci", ["", "true"])
def test_what_npm_can_not_install_is_said_and_keeps_nothing_from_running(
    ci: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("node", "npm"):
        write(tmp_path, f"bin/{name}", "#!/bin/sh\nexit 7\n")
        (tmp_path / "bin" / name).chmod(0o755)
    write(tmp_path, "package.json", '{"devDependencies": {"typescript": "6.0.3"}}')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("CI", ci)
    assert checks.check_pages(tmp_path) == 0
    assert "gate: pages: NOT CHECKED, since npm could not" in capsys.readouterr().out


def test_the_types_of_pages_are_checked_where_the_pinned_version_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, status in (("node", 2), ("npm", 7)):
        write(tmp_path, f"bin/{name}", f"#!/bin/sh\nexit {status}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    write(tmp_path, "package.json", '{"devDependencies": {"typescript": "6.0.3"}}')
    write(tmp_path, "node_modules/typescript/package.json", '{"version": "6.0.3"}')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert checks.check_pages(tmp_path) == 2
