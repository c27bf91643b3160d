"""What a file says decides when it runs; and the pure ones keep what is slow to import out."""

from pathlib import Path

import pytest

from tests.evidence import LINES, keep, state_of
from tests.stages import PURE, slow_imports, stage_of


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


def test_a_pure_test_that_imports_what_is_slow_is_found() -> None:
    loaded = ["sys", "pyspark", "keras", "kerastuner"]
    assert slow_imports([PURE], loaded) == ["keras", "pyspark"]
    assert slow_imports([PURE, "keras"], loaded) == []


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
