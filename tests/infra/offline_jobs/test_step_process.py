"""An offline step as a process: where its temporary files lie."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.offline_jobs.scratch import scratch_folder
from infra.offline_jobs.step_process import StepFailed, run_step
from infra.services.environment import python_env
from infra.system.processes import ProcessId, left_after
from infra.system.repository import REPO
from tests.patience import patience

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


def test_of_many_that_begin_at_once_none_removes_what_another_is_making(tmp_path: Path) -> None:
    def own(number: int) -> bool:
        with scratch_folder(tmp_path) as folder:
            (folder / "file").write_text(f"{number}")
            return folder.is_dir()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(own, range(400)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_step_ends_with_who_began_it(tmp_path: Path, number: signal.Signals) -> None:
    """As with `timeout 1h ./martlet train`, or the terminal that is closed: the step has a session of its own."""
    (tmp_path / "a_step.py").write_text("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    program = (
        "import os; from pathlib import Path; from infra.offline_jobs.step_process import run_step\n"
        f"run_step(['a_step'], Path({str(tmp_path / 'a.log')!r}), 600, lambda line: print(line, flush=True), {{**os.environ}})"
    )
    env = python_env() | {"PYTHONPATH": f"{tmp_path}:{REPO}"}
    begun = subprocess.Popen([sys.executable, "-c", program], cwd=REPO, env=env, stdout=subprocess.PIPE, text=True)
    assert begun.stdout is not None
    step = ProcessId.of(int(begun.stdout.readline()))
    assert step is not None
    begun.send_signal(number)
    assert begun.wait(patience(30)) != 0
    begun.stdout.close()
    assert left_after(patience(10), [step]) == []


def test_what_a_killed_process_has_left_goes_with_the_next_and_what_is_in_use_stays(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal; from infra.offline_jobs.scratch import scratch_folder\n"
        f"with scratch_folder(pathlib.Path({str(tmp_path)!r})) as own:\n"
        "    (own / 'file').touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=REPO, env=python_env())
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    with scratch_folder(tmp_path) as own:
        assert not left.exists()
        with scratch_folder(tmp_path) as another:
            assert sorted(tmp_path.iterdir()) == sorted([own, another])
    assert list(tmp_path.iterdir()) == []
