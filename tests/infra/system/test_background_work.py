"""Work that gives way: at a low priority, ended in order by a signal, its errors in one line."""

import signal
import subprocess
import sys

import psutil
import pytest

WORK = """
import time
from features.errors import Broken
from infra.system.background_work import run_in_background
def work():
    try:
        print("works", flush=True)
        {then}
    finally:
        print("cleaned up", flush=True)
raise SystemExit(run_in_background(work, 7))
"""


@pytest.fixture
def started(request: pytest.FixtureRequest) -> "subprocess.Popen[str]":
    """A process that does what the parameter says."""
    argv = [sys.executable, "-c", WORK.format(then=request.param)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.parametrize("started", ["time.sleep(60)"], indirect=True)
def test_a_signal_ends_it_in_order(started: "subprocess.Popen[str]") -> None:
    with started:
        assert started.stdout is not None
        assert started.stdout.readline() == "works\n"
        assert psutil.Process(started.pid).nice() == 7
        started.send_signal(signal.SIGTERM)
        assert started.communicate(timeout=30) == ("cleaned up\n", "")
    assert started.returncode == 0


@pytest.mark.parametrize("started", ['raise Broken("the state can not be read")'], indirect=True)
def test_an_error_is_one_line_and_an_exit_code(started: "subprocess.Popen[str]") -> None:
    with started:
        assert started.communicate(timeout=30) == ("works\ncleaned up\n", "error: the state can not be read\n")
    assert started.returncode == 1
