"""A home of a test is stopped whatever became of its start, and the first error is the one that is told."""

from pathlib import Path

import pytest

from features.errors import Broken
from tests.home import ALIVE, running


def stand_in(repo: Path, up: str) -> None:
    """A launcher that notes its commands in `commands`, and on `up` does what is given."""
    path = repo / "martlet"
    path.write_text(f'#!/bin/sh\necho "$1" >>"{repo}/commands"\ncase "$1" in up) {up} ;; down) exit 4 ;; esac\n')
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("up", "error"), [("echo no room; exit 3", "no room"), ("true", "engines.json")], ids=["fails", "tells nothing"]
)
def test_a_start_that_fails_is_stopped_and_its_error_told(tmp_path: Path, up: str, error: str) -> None:
    stand_in(tmp_path, up)
    with pytest.raises((AssertionError, Broken), match=error), running(tmp_path / "home", repo=tmp_path):
        pass
    assert (tmp_path / "commands").read_text().split() == ["up", "down"]
    assert tmp_path / "home" not in ALIVE


def test_a_port_that_somebody_has_taken_meanwhile_is_drawn_again(tmp_path: Path) -> None:
    taken = f'echo "$6" >>{tmp_path}/ports; echo "--port: expected a free port, got $6, which process 1 listens on" >&2; exit 1'
    stand_in(tmp_path, taken)
    with pytest.raises(AssertionError, match="listens on"), running(tmp_path / "home", repo=tmp_path):
        pass
    assert (tmp_path / "commands").read_text().split() == ["up", "up", "up", "down"]
    assert len(set((tmp_path / "ports").read_text().split())) == 3
