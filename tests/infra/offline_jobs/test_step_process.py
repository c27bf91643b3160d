"""An offline step as a process: where its temporary files lie."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.offline_jobs.scratch import scratch_folder
from infra.offline_jobs.step_process import StepFailed, run_step
from infra.services.environment import python_env

PROGRAM = """
import sys, tempfile
print(tempfile.mkdtemp(), flush=True)
sys.exit(int(sys.argv[1]))
"""


def run(folder: Path, code: int) -> Path:
    """The temporary folder of a step that ends with that code."""
    (folder / "a_step.py").write_text(PROGRAM)
    (folder / "logs").mkdir(exist_ok=True)
    lines: list[str] = []
    env = python_env() | {"PYTHONPATH": str(folder)}
    try:
        run_step(["a_step", str(code)], folder / "logs" / "a.log", 60, lines.append, env)
    except StepFailed as error:
        assert error.code == code
    (line,) = lines
    return Path(line.strip())


@pytest.mark.parametrize("code", [0, 7])
def test_what_a_step_leaves_goes_with_it(tmp_path: Path, code: int) -> None:
    made = run(tmp_path, code)
    assert made.is_relative_to(tmp_path / "logs")
    assert list((tmp_path / "logs").iterdir()) == [tmp_path / "logs" / "a.log"]


def test_what_a_killed_process_has_left_goes_with_the_next_and_that_of_one_that_lives_stays(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    with scratch_folder(tmp_path) as own:
        left = tmp_path / own.name.replace(str(os.getpid()), ended.stdout.strip())
        left.mkdir()
        (left / "file").touch()
        with scratch_folder(tmp_path) as another:
            assert sorted(tmp_path.iterdir()) == sorted([own, another])
    assert list(tmp_path.iterdir()) == []
