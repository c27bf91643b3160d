"""What a file system refuses is said in one line, by every command."""

import errno
import sys
from pathlib import Path

import pytest

from features.errors import refusal_of
from infra.cli import main
from offline.console import run


def test_the_line_names_the_path_and_an_error_of_another_kind_has_none() -> None:
    assert refusal_of(OSError(errno.ENOSPC, "No space left on device", "/x/y")) == "/x/y: No space left on device"
    assert refusal_of(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert refusal_of(FileNotFoundError(errno.ENOENT, "No such file", "/x")) is None
    assert refusal_of(TimeoutError("late")) is None


def test_a_home_that_can_not_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(sys, "argv", ["martlet", "up", "--detach", "--home", str(file / "home")])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"martlet: {file / 'home' / 'run'}: Not a directory\n"


def test_a_step_that_can_not_write_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert run(lambda: (file / "out").mkdir()) == 1
    assert capsys.readouterr().err == f"error: {file / 'out'}: Not a directory\n"
    with pytest.raises(FileNotFoundError):
        run(lambda: (tmp_path / "none" / "out").mkdir())
