"""An offline step as a process of its own: its output is passed on, its errors go to a log, its time is bounded."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from features.errors import MartletError, Unavailable
from infra.offline_jobs.scratch import scratch_folder
from infra.system.processes import Attend, lower_priority, rotate, tail
from infra.system.repository import REPO
from infra.system.stop_signal import interrupted_by

NICE: Final = 19
"""Niceness of the offline steps, which often run while the home serves."""


class StepFailed(MartletError):
    """A step that did not do its work. code: its exit code; negative: the signal that ended it."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def unattended(_: str, __: "subprocess.Popen[str]") -> AbstractContextManager[None]:
    """Tracks nothing."""
    return contextlib.nullcontext()


def run_step(
    argv: list[str],
    log: Path,
    timeout: float,
    print_line: Callable[[str], None],
    env: dict[str, str],
    python: Path = Path(sys.executable),
    attend: Attend = unattended,
    nice: int = NICE,
) -> None:
    """Run a module: its standard output goes to `print_line`, its errors to the log, whose name it is tracked under. Its
    temporary files lie beside the log, and go with it: TensorFlow leaves some 100 kB a training. Raises
    StepFailed if it fails or takes longer than `timeout` seconds, Unavailable if it says so by its exit code."""
    rotate(log)  # a service's steps begin for ever
    with interrupted_by(signal.SIGTERM, signal.SIGHUP), log.open("ab") as errors, scratch_folder(log.parent) as scratch:
        process = subprocess.Popen(
            [str(python), "-m", *argv],
            cwd=REPO,
            env={**env, "TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        if nice:  # what serves goes first on a small machine
            lower_priority(process.pid, nice)
        deadline = threading.Timer(timeout, process.kill)  # its output ends then, and with it the loop below
        deadline.start()
        assert process.stdout is not None
        try:
            with attend(log.stem, process):
                for line in process.stdout:
                    if line.strip():
                        print_line(f"    {line.rstrip()}")
                code = process.wait(timeout=60)
        except BaseException:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
        finally:
            deadline.cancel()
            process.stdout.close()
    if code != 0:
        last = tail(log, 1)
        if last.startswith("error: "):  # a message for the user
            text = last.removeprefix("error: ")
            raise Unavailable(text) if code == os.EX_TEMPFAIL else StepFailed(text, code)
        raise StepFailed(f"{argv[0]} failed (exit code {code}); the end of {log}:\n{tail(log)}", code)
