"""A process is known again whatever the system's clock does, and no other one is taken for it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil
import pytest

from infra.system.processes import ProcessId, left_after, stop
from tests.home import until

INDIFFERENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.read(1)
print(child.pid, flush=True)
sys.stdin.read()
"""
"""A parent that lets its child be a zombie, as the first process of a container does that is no init."""
SLEEPS = "import time; print(flush=True); time.sleep(100)"
FIRST_THREAD_ENDS = """
import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=[100]).start()
print(flush=True)
ctypes.CDLL(None).syscall(93 if os.uname().machine == "aarch64" else 60, 0)
"""
"""A program whose first thread ends, and nothing else: the system calls it a zombie."""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_after_a_step_of_the_clock_it_is_the_same_and_is_stopped(child: "subprocess.Popen[bytes]") -> None:
    """What the system gives as its start is computed from the clock as it is then."""
    own = ProcessId.of(child.pid)
    assert own is not None
    then = replace(own, started=own.started - 3600)
    found = then.process()
    assert found is not None
    assert found.pid == child.pid
    assert stop(then, 30)
    assert own.process() is None


def test_another_one_with_its_pid_is_none(child: "subprocess.Popen[bytes]") -> None:
    own, me = ProcessId.of(child.pid), ProcessId.of(os.getpid())
    assert own is not None
    assert me is not None
    assert replace(own, mark=me.mark).process() is None
    assert replace(own, mark=own.mark.replace(":", ":9")).process() is None
    assert ProcessId.of(999_999_999) is None


def test_it_outlives_a_file_and_one_of_before_is_known_by_its_start(child: "subprocess.Popen[bytes]") -> None:
    own = ProcessId.of(child.pid)
    assert own is not None
    assert ProcessId.from_json(own.to_json()) == own
    before = {"pid": own.pid, "started": own.started}
    assert ProcessId.from_json(before).process() is not None
    assert ProcessId.from_json({**before, "started": own.started - 100}).process() is None


@contextmanager
def child_of_an_indifferent_parent(code: str) -> Iterator[ProcessId]:
    argv = [sys.executable, "-c", INDIFFERENT, code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        known = ProcessId.of(int(parent.stdout.readline()))
        assert known is not None
        try:
            yield known
        finally:
            stop(known, 0)
            parent.kill()


def test_one_that_nobody_reaps_has_ended_all_the_same() -> None:
    with child_of_an_indifferent_parent(SLEEPS) as known:
        assert stop(known, 2), "SIGTERM sufficed"
        assert psutil.Process(known.pid).status() == psutil.STATUS_ZOMBIE
        assert left_after(0, [known]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells of single threads")
def test_one_lives_until_its_last_thread_has_ended() -> None:
    with child_of_an_indifferent_parent(FIRST_THREAD_ENDS) as known:
        until(lambda: psutil.Process(known.pid).status() == psutil.STATUS_ZOMBIE)
        assert left_after(0, [known]) == [known]
        stop(known, 5)
        assert left_after(0, [known]) == []
