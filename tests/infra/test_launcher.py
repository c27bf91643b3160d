"""The launcher and the command line say what to do when something is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.home import REPO

pytestmark = pytest.mark.services

TOOLS = ("sh", "dirname", "uname", "cksum", "awk", "df", "cat", "rm", "mkdir", "sleep", "env")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a fresh clone has of the launcher: no .venv, and a PATH with the base system's tools only."""
    folder = tmp_path / "clone"
    (folder / "bin").mkdir(parents=True)
    for name in ("martlet", "requirements.lock"):
        shutil.copy(REPO / name, folder / name)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (folder / "bin" / tool).symlink_to(found)
    return folder


def script(clone: Path, name: str, text: str) -> None:
    path = clone / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def launch(clone: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(clone / "martlet"), "status"],
        env={"PATH": str(clone / "bin"), "HOME": str(clone)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_without_a_python_it_names_the_versions_and_the_way(clone: Path) -> None:
    said = launch(clone)
    assert said.returncode == 1
    assert "3.11 or 3.12" in said.stderr
    assert "apt-get install" in said.stderr


def test_a_python_that_is_too_old_is_named(clone: Path) -> None:
    script(clone, "python3", 'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac')
    assert "found Python 3.9.2" in launch(clone).stderr


def test_debians_bare_python_gets_one_line_with_the_apt_command(clone: Path) -> None:
    script(clone, "python3", f'case "$*" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac')
    said = launch(clone)
    assert said.returncode == 1
    assert said.stderr.strip().endswith("sudo apt-get install -y python3-venv")
    assert not (clone / ".venv").exists()


def test_an_unsupported_platform_is_refused(clone: Path) -> None:
    script(clone, "uname", 'case "$1" in -s) echo Linux;; *) echo i686;; esac')
    assert "Linux/i686" in launch(clone).stderr


def test_a_full_disk_is_told_before_anything_is_installed(clone: Path) -> None:
    script(clone, "python3", f'exec {sys.executable} "$@"')
    script(clone, "df", 'echo "Filesystem blocks used available"; echo "/dev/x 100 100 5000"')
    said = launch(clone)
    assert "4 MiB free" in said.stderr
    assert not (clone / ".venv").exists()


def command(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra", *arguments, "--home", str(home)],
        cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status",), "./martlet up"),
        (("verify",), "nothing runs"),
        (("train",), "has no base yet"),
        (("rollback", "--model", "none"), "none"),
        (("publish", "/nowhere", "--model", "x"), "expected a folder with saved_model.pb"),
    ],
)
def test_errors_are_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = command(*arguments, home=tmp_path / "home")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_every_command_has_help() -> None:
    for name in (
        "up",
        "down",
        "status",
        "doctor",
        "replay",
        "verify",
        "features",
        "train",
        "publish",
        "rollback",
        "bench",
    ):
        done = subprocess.run(
            [sys.executable, "-m", "infra", name, "--help"], cwd=REPO, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, name
        assert "--help" in done.stdout
