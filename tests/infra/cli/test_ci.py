"""What CI runs: nothing that fails on the way hides a test, and a failure leaves its logs behind.

The launcher, apt-get and the browser are stand-ins.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from infra.system.repository import REPO
from tests.patience import patience

TOOLS = (
    "bash",
    "cat",
    "dirname",
    "find",
    "grep",
    "head",
    "mkdir",
    "rm",
    "sh",
    "sleep",
    "sort",
    "tail",
    "tee",
    "timeout",
)
BASH = shutil.which("bash") or "bash"


class Ci:
    """A clone with .ci/run, and the stand-ins around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / ".ci-out"
        (folder / ".ci").mkdir(parents=True)
        (folder / "bin").mkdir()
        shutil.copy(REPO / ".ci" / "run", folder / ".ci" / "run")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (folder / "bin" / tool).symlink_to(found)
        self.script("bin/id", "echo 0")
        self.script("bin/python3", "exit 0")
        self.script("bin/chromium", "echo Chromium 140")
        self.launcher()

    def script(self, name: str, text: str) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def launcher(
        self, version: str = "echo martlet 1", audit: str = "echo 3 audited", test: str = "echo 9 passed"
    ) -> None:
        self.script("martlet", f'case "$1" in --version) {version} ;; audit) {audit} ;; test) {test} ;; esac')

    def run(self, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BASH, str(self.folder / ".ci" / "run")],
            env={"PATH": str(self.folder / "bin")} | more, capture_output=True, text=True, timeout=patience(60),
        )  # fmt: skip


@pytest.fixture
def ci(tmp_path: Path) -> Ci:
    return Ci(tmp_path / "clone")


def test_all_that_was_said_is_kept(ci: Ci) -> None:
    done = ci.run()
    assert done.returncode == 0
    assert "9 passed" in done.stdout
    assert {path.name: path.read_text() for path in ci.out.iterdir()} == {
        "install.log": "martlet 1\n",
        "audit.log": "3 audited\n",
        "test.log": "9 passed\n",
    }


def test_the_folder_for_logs_can_be_given_and_is_told_to_the_tests(ci: Ci) -> None:
    ci.launcher(test='echo "$CI $CI_OUT" >"$CI_OUT/seen"')
    assert ci.run(CI_OUT=str(ci.folder / "kept here")).returncode == 0
    assert (ci.folder / "kept here" / "seen").read_text() == f"true {ci.folder}/kept here\n"
    assert not ci.out.exists()


@pytest.mark.parametrize(("code", "output"), [(1, "exit code 1"), (5, "no test ran"), (2, "exit code 2")])
def test_a_failure_keeps_its_code_and_tells_of_the_logs(ci: Ci, code: int, output: str) -> None:
    ci.launcher(test=f'echo the reason >"$CI_OUT/kafka.log"; exit {code}')
    done = ci.run()
    assert done.returncode == code
    assert output in done.stdout
    assert f"ci: the last lines of {ci.out}/kafka.log:\nthe reason\n" in done.stdout
    assert str(ci.out / "test.log") in done.stdout


def test_tests_that_hang_are_stopped_and_their_logs_told(ci: Ci) -> None:
    ci.launcher(test="exec sleep 50")
    done = ci.run(CI_LIMIT="0.2")
    assert done.returncode == 124
    assert "stopped after 0.2 s" in done.stdout
    assert str(ci.out / "test.log") in done.stdout


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("echo gate: pages; exit 2", "the pages' types were checked"),
        ("echo gate: pages: NOT CHECKED, no npm", "TYPES WERE NOT CHECKED: no npm"),
        ("echo gate: lint; exit 1", "NOT CHECKED: the gate did not come so far"),
    ],
)
def test_it_ends_by_saying_whether_the_pages_were_checked(ci: Ci, test: str, said: str) -> None:
    ci.launcher(test=test)
    assert ci.run().stdout.splitlines()[-1].endswith(said)


def test_what_comes_before_the_tests_is_bounded_and_counts_against_their_limit(ci: Ci) -> None:
    ci.script("bin/chromium", "exit 1")
    ci.script("bin/apt-get", "exit 0")
    (ci.folder / "bin" / "timeout").unlink()
    ci.script("bin/timeout", 'echo "$@" >>"$CI_OUT/limits"')
    assert ci.run().returncode == 0
    *before, tests = [line.split() for line in (ci.out / "limits").read_text().splitlines()]
    assert all(words[0].startswith("--kill-after=") for words in before)
    assert [(words[1], words[2]) for words in before] == [
        ("100", "apt-get"), ("200", "apt-get"), ("900", "./martlet"), ("120", "./martlet"),
    ]  # fmt: skip
    assert tests[-2:] == ["./martlet", "test"]
    assert 4000 < int(tests[-3]) <= 5000


def test_an_environment_that_cannot_be_made_ends_it(ci: Ci) -> None:
    ci.launcher(version="echo no network >&2; exit 1", test="echo 9 passed")
    done = ci.run()
    assert done.returncode == 1
    assert "no network" in done.stdout
    assert "passed" not in done.stdout


def test_advisories_are_told_and_fail_nothing(ci: Ci) -> None:
    ci.launcher(audit="echo numpy 1: CVE-1; exit 1")
    done = ci.run()
    assert done.returncode == 0
    assert "ci: AUDIT: numpy 1: CVE-1" in done.stdout


def test_what_the_system_lacks_is_installed_without_questions(ci: Ci) -> None:
    ci.script("bin/python3", "exit 1")
    ci.script("bin/chromium", "echo install the snap >&2; exit 1")
    ci.script("bin/apt-get", 'echo "$DEBIAN_FRONTEND: $*"')
    assert ci.run().returncode == 0
    assert (ci.out / "apt.log").read_text().splitlines() == [
        "noninteractive: update",
        "noninteractive: install -y --no-install-recommends python3-venv chromium",
    ]


def test_a_system_that_installs_nothing_is_tested_all_the_same(ci: Ci) -> None:
    ci.script("bin/chromium", "exit 1")
    ci.script("bin/apt-get", "echo no such mirror; exit 100")
    done = ci.run()
    assert done.returncode == 0
    assert "apt-get could not install chromium" in done.stdout
    assert "9 passed" in done.stdout


def test_without_the_right_to_install_it_says_what_is_missing(ci: Ci) -> None:
    ci.script("bin/chromium", "exit 1")
    ci.script("bin/id", "echo 1000")
    done = ci.run()
    assert done.returncode == 0
    assert "missing, and not to be installed from here: chromium" in done.stdout
