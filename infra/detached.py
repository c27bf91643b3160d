"""`up --detach` and `down`: start a supervisor in the background, and stop it."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, BinaryIO

from features.errors import BadInput
from infra.attached.flink_entry import end_leftover_job
from infra.home.home_lock import WAIT, is_run, keeper_of
from infra.home.paths import Home, read_json
from infra.home.process_notes import noted_processes
from infra.services import environment
from infra.services.supervisor import stop_leftovers
from infra.settings.table import SECRET_VARIABLES
from infra.system.processes import ProcessId, left_after, rotate, spawn, wait_until
from infra.system.progress import Steps
from infra.system.stop_signal import interrupted_by

STOP_TIMEOUT = 180.0
"""Seconds that an `up` may take to stop, before it is killed."""


def down(home: Home, steps: Steps, timeout: float = STOP_TIMEOUT) -> bool:
    """Stop what runs in a home or is about to, and a job that was left in an attached cluster; returns False if there is nothing.
    Raises BadInput where it runs on another machine or in another container. timeout: seconds that an `up` may take to stop;
    then it is killed."""
    status = noted_processes(home.status_file)
    supervisor = None if status is None else ProcessId.from_json(status["supervisor"])
    if supervisor is not None and supervisor.process() is not None:
        if not _ends(home, supervisor, steps, timeout):
            _stop_leftovers(home, steps)
        return True
    starting = _starting(home)
    if starting is not None:
        _ends(home, starting, steps, timeout)
    elif status is None:
        return end_leftover_job(home, steps.print_line)
    _stop_leftovers(home, steps)  # one that was just starting has perhaps not come to it
    return True


def _starting(home: Home) -> ProcessId | None:
    """Returns an `up` that keeps the home and has written no status yet; None if there is none. Raises BadInput where what keeps
    the home is not on this machine, or not known to be."""
    deadline = time.monotonic() + WAIT
    while is_run(home):
        if wait_until(deadline):
            continue
        process = keeper_of(home)
        if process is None:
            raise BadInput("--home", "a home that runs here", f"{home.path}, which runs elsewhere: stop it there")
        return ProcessId.of(process.pid)
    return None


def _ends(home: Home, supervisor: ProcessId, steps: Steps, timeout: float) -> bool:
    """Stop an `up`, which does so in order; returns False if it had to be killed."""
    supervisor.send(signal.SIGTERM)
    if not left_after(timeout, [supervisor]):
        return True
    steps.print_line(
        f"`up` did not stop within {timeout:.0f} s and is killed; where it was it prints, with --detach into "
        f"{home.up_log}"
    )
    supervisor.send(signal.SIGQUIT)
    left_after(1, [supervisor])
    supervisor.send(signal.SIGKILL)
    left_after(10, [supervisor])
    return False


def _stop_leftovers(home: Home, steps: Steps) -> None:
    stop_leftovers(home.status_file, steps.print_line)
    end_leftover_job(home, steps.print_line)


def detach(home: Home, argv: list[str], steps: Steps, until_prepared: bool = False) -> int:
    """Run `up` in the background and show its output until it serves, or if `until_prepared` until nothing is left to prepare.
    Returns 0 then, 1 where something could not be prepared, its exit code if it fails, or 130 if Ctrl-C or SIGTERM came before:
    it is stopped then."""
    home.make()
    log = home.up_log
    rotate(log)
    start = log.stat().st_size if log.exists() else 0
    secrets = {name: os.environ[name] for name in SECRET_VARIABLES if name in os.environ}
    with interrupted_by(signal.SIGTERM):
        child = spawn(argv, log, environment.python_env(secrets), Path.cwd())
        with log.open("rb") as file:
            file.seek(start)
            try:
                return _follow(home, child, file, steps, until_prepared)
            except KeyboardInterrupt:  # of this process alone: the other one has a session of its own
                steps.print_line("stopping")
                begun = ProcessId.of(child.pid)
                if begun is not None and not _ends(home, begun, steps, STOP_TIMEOUT):
                    _stop_leftovers(home, steps)
                _print_rest(file, steps)
                return 130


def _follow(home: Home, child: subprocess.Popen[bytes], file: BinaryIO, steps: Steps, until_prepared: bool) -> int:
    """Print what a child that is an `up` writes into a file, until it has ended or is as far as `detach` waits for; returns the
    exit code of that."""
    while True:
        line = file.readline()
        if line:
            steps.print_line(line.decode(errors="replace").rstrip("\n"))
            continue
        _from_the_start_if_rotated(file)
        if (code := child.poll()) is not None:
            _print_rest(file, steps)
            return code or 1
        status = read_json(home.status_file, sync=False)
        serves = status is not None and status.get("state") == "up" and status["supervisor"]["pid"] == child.pid
        if status is not None and serves and not (until_prepared and status.get("preparing")):
            _print_rest(file, steps)
            return _report_failures(status, steps) if until_prepared else 0
        time.sleep(0.1)


def _from_the_start_if_rotated(file: BinaryIO) -> None:
    """Go back to the start of a log that is shorter than what was read of it: it was truncated meanwhile."""
    if os.fstat(file.fileno()).st_size < file.seek(0, os.SEEK_CUR):
        file.seek(0)


def _print_rest(file: BinaryIO, steps: Steps) -> None:
    _from_the_start_if_rotated(file)
    steps.print_line(file.read().decode(errors="replace").rstrip())


def _report_failures(status: dict[str, Any], steps: Steps) -> int:
    """Print which steps of a start failed; returns 1, or 0 where none did."""
    failed: list[str] = status.get("failed_steps", [])
    if failed:
        steps.print_line(f"not prepared: {', '.join(failed)}; lists come all the same, and the next `up` tries again")
    return 1 if failed else 0
