"""The command line as a whole: errors are for its user, and every command has help."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from click.testing import CliRunner

from features.errors import BadInput
from features.version import VERSION
from infra.cli.main import app
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.system.repository import REPO
from tests.patience import patience

pytestmark = pytest.mark.services

COMMANDS: Any = typer.main.get_command(app)
BECOME_ANOTHER = {"bench", "model-server"}
"""Commands that hand all their words over to another program, --help too."""
TIMEOUT = patience(60)


def command(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra", *arguments, "--home", str(home)],
        cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)}, capture_output=True, text=True, timeout=patience(120),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("status",), "./martlet up"),
        (("verify",), "nothing runs"),
        (("train",), "has no base yet"),
        (("embeddings",), "has no base yet"),
        (("rollback", "--model", "none"), "none"),
        (("publish", "/nowhere", "--model", "x"), "expected a folder with saved_model.pb"),
    ],
)
def test_errors_are_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], output: str) -> None:
    done = command(*arguments, home=tmp_path / "home")
    assert done.returncode == 1
    assert output in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["train", "embeddings"])
def test_what_learns_learns_from_the_newest_base(tmp_path: Path, name: str) -> None:
    """The base that the next start takes, which here is none, so that the message names it."""
    home = Home(tmp_path).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.8)
    record.take_base(1)
    record.set_next_base(2)
    record.save()
    done = command(name, home=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{home.bases / '2'} is not a base" in done.stderr


def test_up_makes_nothing_for_an_api_that_can_not_be_served(tmp_path: Path) -> None:
    """As by a certificate that is not there: it was told once the base was made and Redis had it."""
    (tmp_path / "martlet.toml").write_text('[api]\ncertificate = "none.pem"\nkey = "none.key"\n')
    done = command("up", home=tmp_path)
    assert done.returncode == 1
    assert "none.pem" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "base").iterdir())


def test_the_version_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra", "--version"], cwd=REPO, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert (done.returncode, done.stdout) == (0, f"martlet {VERSION}\n")


def test_benchmarks_are_handed_over_with_their_options() -> None:
    coloured = ("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS")
    plain = {name: value for name, value in os.environ.items() if name not in coloured} | {
        "COLUMNS": "120",
        "TERM": "dumb",
    }
    done = subprocess.run(
        [sys.executable, "-m", "infra", "bench", "backlog", "--help"],
        cwd=REPO, capture_output=True, text=True, timeout=TIMEOUT, env=plain,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Usage: ./martlet bench backlog" in done.stdout
    assert "--users-only" in done.stdout


def test_evaluate_refuses_two_evaluations_at_once(tmp_path: Path) -> None:
    done = CliRunner().invoke(COMMANDS, ["evaluate", "--recall", "--anew", "2", "--home", str(tmp_path)])
    assert isinstance(done.exception, BadInput)
    assert (
        "expected at most one of --live, --recall, --constants, --training-constant, --anew, got --recall and --anew"
        in str(done.exception)
    )


@pytest.mark.parametrize("name", sorted(set(COMMANDS.commands) - BECOME_ANOTHER))
def test_every_command_has_help(name: str) -> None:
    shown = CliRunner().invoke(COMMANDS, [name, "--help"])
    assert shown.exit_code == 0
    assert name in shown.output
