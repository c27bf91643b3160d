"""The launcher makes the environment once, whatever happened to it before, and says what to do when something is missing.

Python, pip and uv are stand-ins here that note what they were called with: nothing is installed, no network is asked.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.system.repository import REPO
from tests.home import until
from tests.patience import patience

pytestmark = pytest.mark.services

TOOLS = ("sh", "awk", "cat", "chmod", "cksum", "cp", "df", "dirname", "env", "mkdir", "readlink", "rm", "uname")
SHELLS = [found for name in ("dash", "bash", "ksh", "mksh", "yash") if (found := shutil.which(name))]
TIMEOUT = patience(60)

PYTHON = """
case "$*" in
    -V) echo "Python 3.11.9" ;;
    "-c import pip") [ -e "${0%/*}/pip" ] ;;
    "-m venv --clear "*)
        echo "venv $0" >>"$NOTES"
        rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; : >"$4/bin/pip" ;;
    "-m pip install "*)
        echo pip >>"$NOTES"
        cp "$UV" "${0%/*}/uv" ;;
    "-c "*flock*)
        echo "$$" >>"$NOTES.at-lock"
        exec REAL "$@" ;;
    "-m infra "*) shift 2; echo "infra: $*" ;;
    *) exec REAL "$@" ;;
esac
"""
UV = """
case "$*" in "pip sync "*" --require-hashes "*/requirements.lock) echo uv >>"$NOTES" ;; *) exit 9 ;; esac
"""


class Clone:
    """A fresh clone's launcher: no .venv, and a PATH with the base system's tools and what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.venv = folder / ".venv"
        self.notes = folder / "notes"
        self.bin.mkdir(parents=True)
        for name in ("martlet", "requirements.lock"):
            shutil.copy(REPO / name, folder / name)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)
        self.env = {"PATH": str(self.bin), "HOME": str(folder), "NOTES": str(self.notes), "UV": str(folder / "uv")}

    def script(self, name: str, text: str) -> Path:
        """An executable on the PATH, or at a path from the clone's folder."""
        path = self.folder / name if "/" in name else self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def equip(self, python: str = "python3") -> None:
        """Put the stand-ins there."""
        self.script(python, PYTHON.replace("REAL", sys.executable))
        self.script("./uv", UV)

    def launch(self, shell: str = "/bin/sh", by: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shell, str(by or self.folder / "martlet"), "status", "--json"],
            env=self.env | more, cwd=self.bin, capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/sh", str(self.folder / "martlet"), "status"],
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def done(self) -> list[str]:
        """What the stand-ins did since the last look, in order, by one word each."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        self.notes.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def made(clone: Clone) -> Clone:
    """A clone whose environment is there."""
    clone.equip()
    assert clone.launch().returncode == 0
    assert clone.done() == ["venv", "pip", "uv"]
    return clone


@pytest.mark.parametrize("shell", SHELLS)
def test_the_first_start_installs_and_hands_over_and_the_second_only_hands_over(clone: Clone, shell: str) -> None:
    clone.equip()
    first = clone.launch(shell)
    assert (first.returncode, first.stdout) == (0, "infra: status --json\n")
    assert "installing the locked packages" in first.stderr
    assert clone.done() == ["venv", "pip", "uv"]
    second = clone.launch(shell)
    assert (second.returncode, second.stdout, second.stderr) == (0, "infra: status --json\n", "")
    assert clone.done() == []


def test_uv_is_taken_from_the_lock_alone(made: Clone) -> None:
    wanted = (made.venv / ".martlet-uv.txt").read_text().splitlines()
    assert wanted[0].startswith("uv==")
    assert all(line.lstrip().startswith(("--hash=sha256:", "#")) for line in wanted[1:])


def test_an_interrupted_installation_goes_on_where_it_was(clone: Clone) -> None:
    clone.equip()
    clone.script("./uv", "exit 1")
    failed = clone.launch()
    assert failed.returncode == 1
    assert "Run ./martlet again" in failed.stderr
    assert clone.done() == ["venv", "pip"]
    clone.script("./uv", UV)
    assert clone.launch().returncode == 0
    assert clone.done() == ["pip", "uv"]


def test_without_a_registry_it_says_so(clone: Clone) -> None:
    clone.equip()
    done = clone.launch(UV="/nowhere")
    assert done.returncode == 1
    assert "could not get uv from the package registry" in done.stderr


def test_a_changed_lock_is_installed_into_the_same_environment(made: Clone) -> None:
    with (made.folder / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert made.launch().returncode == 0
    assert made.done() == ["pip", "uv"]
    assert made.launch().returncode == 0
    assert made.done() == []


def test_an_environment_whose_python_has_gone_is_made_again(made: Clone) -> None:
    (made.venv / "bin" / "python").unlink()
    (made.venv / "bin" / "python").symlink_to("/nowhere/python3.11")
    assert made.launch().stdout == "infra: status --json\n"
    assert made.done() == ["venv", "pip", "uv"]


def test_an_environment_whose_python_is_another_now_is_made_again(made: Clone) -> None:
    made.script("./.venv/bin/python", 'case "$*" in -V) echo "Python 3.13.1" ;; *) exit 1 ;; esac')
    assert made.launch().returncode == 0
    assert made.done() == ["venv", "pip", "uv"]


def test_a_security_release_of_the_same_python_changes_nothing(made: Clone) -> None:
    python = made.venv / "bin" / "python"
    made.script("./.venv/bin/python", python.read_text().replace("3.11.9", "3.11.10"))
    assert made.launch().returncode == 0
    assert made.done() == []


class Paused:
    """uv, held up in the middle of an installation until `go_on`."""

    def __init__(self, clone: Clone) -> None:
        self._ends = []
        for name in ("here", "go"):
            os.mkfifo(clone.folder / name)
            self._ends.append(os.open(clone.folder / name, os.O_RDWR | os.O_NONBLOCK))
        clone.script("./uv", UV + 'echo here >"$HOME/here"; read -r go <"$HOME/go"')

    def wait(self) -> None:
        """Until uv is there."""
        assert select.select(self._ends[:1], [], [], TIMEOUT)[0], "uv was not called"

    def go_on(self) -> None:
        os.write(self._ends[1], b"go\n")

    def close(self) -> None:
        for end in self._ends:
            os.close(end)


@pytest.fixture
def paused(clone: Clone) -> Iterator[Paused]:
    clone.equip()
    uv = Paused(clone)
    yield uv
    uv.close()


def test_starts_at_the_same_time_install_once(clone: Clone, paused: Paused) -> None:
    starts = [clone.start()]
    paused.wait()
    starts += [clone.start() for _ in range(3)]
    at_lock = clone.notes.with_name("notes.at-lock")
    until(lambda: len(at_lock.read_text().split()) == 4, TIMEOUT, "all wait for the first")
    paused.go_on()
    output = [start.communicate(timeout=TIMEOUT) for start in starts]
    assert [start.returncode for start in starts] == [0] * 4, output
    assert [out for out, _ in output] == ["infra: status\n"] * 4
    assert clone.done() == ["venv", "pip", "uv"]


def test_a_killed_installer_holds_up_nobody(clone: Clone, paused: Paused) -> None:
    first = clone.start()
    paused.wait()
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=TIMEOUT)
    assert clone.done() == ["venv", "pip", "uv"]
    clone.script("./uv", UV)
    assert clone.launch().returncode == 0
    assert clone.done() == ["pip", "uv"]


def test_a_blank_in_the_path_of_python_is_part_of_it(clone: Clone) -> None:
    clone.equip("./my pythons/python 3")
    python = str(clone.folder / "my pythons" / "python 3")
    assert clone.launch(MARTLET_PYTHON=python).returncode == 0
    assert clone.notes.read_text().splitlines()[0] == f"venv {python}"


def test_a_blank_in_the_path_of_the_clone_is_part_of_it(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "my clone")
    clone.equip()
    assert clone.launch().stdout == "infra: status --json\n"
    assert clone.done() == ["venv", "pip", "uv"]


@pytest.mark.parametrize("shell", SHELLS)
def test_by_links_it_is_the_same_clone(clone: Clone, tmp_path: Path, shell: str) -> None:
    """By a whole path, and by one as seen from where the link lies."""
    clone.equip()
    (tmp_path / "my links" / "bin").mkdir(parents=True)
    (tmp_path / "my links" / "martlet").symlink_to(clone.folder / "martlet")
    link = tmp_path / "my links" / "bin" / "martlet"
    link.symlink_to("../martlet")
    assert clone.launch(shell, by=link).stdout == "infra: status --json\n"
    assert clone.venv.is_dir()
    assert [each.name for each in link.parent.iterdir()] == ["martlet"]


def test_a_launcher_without_its_clone_says_so(clone: Clone, tmp_path: Path) -> None:
    clone.equip()
    alone = Path(shutil.copy(clone.folder / "martlet", tmp_path / "martlet"))
    done = clone.launch(by=alone)
    assert (done.returncode, done.stderr) == (
        1,
        f"martlet: expected the repository beside {alone}, found no requirements.lock there; a link to the launcher will do\n",
    )
    assert clone.done() == []


def test_without_a_python_it_names_the_versions_and_the_way(clone: Clone) -> None:
    done = clone.launch()
    assert done.returncode == 1
    assert "3.11 or 3.12" in done.stderr
    assert "apt-get install" in done.stderr


def test_where_python_is_too_new_the_way_to_another_one_is_named(clone: Clone) -> None:
    clone.script("python3", 'case "$1" in -V) echo Python 3.13.5;; *) exit 1;; esac')
    output = clone.launch().stderr
    assert "found Python 3.13.5" in output
    assert 'MARTLET_PYTHON="$(pipx run uv python find 3.12)" ./martlet' in output


def test_a_python_that_is_too_old_is_named(clone: Clone) -> None:
    clone.script("python3", 'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac')
    assert "found Python 3.9.2" in clone.launch().stderr


def test_debians_bare_python_gets_one_line_with_the_apt_command(clone: Clone) -> None:
    clone.script("python3", f'case "$*" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac')
    done = clone.launch()
    assert done.returncode == 1
    assert done.stderr.strip().endswith("sudo apt-get install -y python3-venv")
    assert not clone.venv.exists()


def test_an_unsupported_platform_is_refused(clone: Clone) -> None:
    clone.script("uname", 'case "$1" in -s) echo Linux;; *) echo i686;; esac')
    assert "Linux/i686" in clone.launch().stderr


def test_a_full_disk_is_told_before_anything_is_installed(clone: Clone) -> None:
    clone.script("python3", f'exec {sys.executable} "$@"')
    clone.script("df", 'echo "Filesystem blocks used available"; echo "/dev/x 100 100 5000"')
    done = clone.launch()
    assert "4 MiB free" in done.stderr
    assert not clone.venv.exists()
