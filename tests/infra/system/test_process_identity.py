"""A process is known again whatever the system's clock does, and no other one is taken for it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from infra.system.processes import ProcessId, stop


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
