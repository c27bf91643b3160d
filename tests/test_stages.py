"""What a file says decides when it runs; and the pure ones keep what is slow to import out."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.services.environment import python_env
from infra.system.repository import REPO
from tests.evidence import LINES, keep, state_of
from tests.patience import patience
from tests.stages import PURE, stage_of
from tests.test_promises_held import NAMED

pytestmark = pytest.mark.services


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("import pytest\n", PURE),
        ("pytestmark = pytest.mark.keras\n", "keras"),
        ("x = 1\npytestmark = [pytest.mark.soak, pytest.mark.home]\n", "home"),
        ("pytestmark = pytest.mark.soak\n", PURE),
        ("@pytest.mark.keras\ndef test_x(): ...\n", PURE),
    ],
)
def test_a_file_says_what_it_needs(tmp_path: Path, text: str, stage: str) -> None:
    path = tmp_path / "test_some.py"
    path.write_text(text)
    assert stage_of(path) == stage


def test_collecting_the_pure_tests_imports_neither_tensorflow_nor_spark() -> None:
    code = (
        "import sys, pytest; code = pytest.main(['--stage', 'pure', '--collect-only', '-qq', 'tests']); "
        "sys.exit(code or ', '.join({'tensorflow', 'keras', 'pyspark'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, env=python_env(), capture_output=True, text=True, timeout=patience(120)
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_each_test_that_holds_a_promise_is_collected_by_every_run() -> None:
    """Not only written: a broken parameter or a stage that leaves its file out would hide it."""
    wanted = {f"{path}::{name}" for path, name, soak in NAMED if not soak}
    words = ("--collect-only", "-q", "-m", "not soak", *sorted({each.partition("::")[0] for each in wanted}))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=REPO,
        env=python_env(),
        capture_output=True,
        text=True,
        timeout=patience(300),
    )
    collected = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}
    assert wanted <= collected, done.stderr


def test_a_failing_test_shows_status_and_the_end_of_each_log_and_keeps_a_copy(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("run", "logs"):
        (home / name).mkdir(parents=True)
    (home / "run" / "status.json").write_text('{"state": "up"}')
    (home / "logs" / "api.log").write_text("\n".join(f"line {number}" for number in range(LINES + 10)))
    shown = state_of(home)
    assert '{"state": "up"}' in shown
    assert "line 9\n" not in shown
    assert shown.endswith(f"line {LINES + 9}")
    kept = keep(home, "tests/e2e/test_x.py::test_y[a/b]", tmp_path / "out")
    assert (kept / "logs" / "api.log").read_text() == (home / "logs" / "api.log").read_text()
    assert (kept / "run" / "status.json").exists()
