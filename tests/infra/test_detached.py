"""`up --detach`: it returns once lists are answered, or with --wait once nothing is left to prepare, and says what failed."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from features.errors import Unavailable
from infra.detached import detach, down
from infra.home.home_lock import is_run
from infra.home.paths import Home, read_json, write_json
from infra.home.process_notes import noted_processes
from infra.home.running import last_status
from infra.services.supervisor import stop_leftovers
from infra.system.processes import ProcessId, left_after, stop
from infra.system.progress import Steps

UP = """
import sys
import threading
from pathlib import Path
from features.errors import Unavailable
from infra.home.paths import Home
from infra.services.supervisor import Supervisor
from infra.start_plan import NothingToDo, Plan

def make_data():
    raise {"broken": Unavailable, "empty": NothingToDo}[sys.argv[2]]("nothing to learn from")

supervisor, plan = Supervisor(Home(Path(sys.argv[1]))), Plan()
plan.on_change = lambda: supervisor.note(**plan.report())
plan.add("API", lambda: None)
plan.add("training data", make_data, needs=("API",), later=True)
plan.add("models", lambda: None, needs=("training data",), later=True)
plan.run()
supervisor.note(state="up")
threading.Event().wait()
"""
"""An `up` whose later steps come to nothing."""


@pytest.mark.parametrize(("how", "wait", "code"), [("broken", True, 1), ("empty", True, 0), ("broken", False, 0)])
def test_what_could_not_be_prepared_is_named_to_whoever_waits_for_it(
    home: Home, capsys: pytest.CaptureFixture[str], how: str, wait: bool, code: int
) -> None:
    returned = detach(home, [sys.executable, "-c", UP, str(home.path), how], Steps(), wait)
    status = read_json(home.status_file)
    assert status is not None
    stop(ProcessId.from_json(status["supervisor"]), grace=5)
    assert returned == code
    assert ("not prepared: training data; lists come" in capsys.readouterr().out) is bool(code)


ROTATED = """
import sys
import threading
from pathlib import Path
from infra.home.paths import Home
from infra.services.supervisor import Supervisor
from infra.system.processes import rotate

home = Home(Path(sys.argv[1]))
rotate(home.up_log, limit=1)
print("what came of it", flush=True)
Supervisor(home).note(state="up", preparing=[])
threading.Event().wait()
"""
"""An `up` whose log is rotated while it starts."""


def test_what_comes_after_the_log_was_rotated_is_printed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.up_log.parent.mkdir(parents=True, exist_ok=True)
    home.up_log.write_text("what was there before\n" * 100)
    returned = detach(home, [sys.executable, "-c", ROTATED, str(home.path)], Steps(), True)
    status = read_json(home.status_file)
    assert status is not None
    stop(ProcessId.from_json(status["supervisor"]), grace=5)
    assert returned == 0
    assert "what came of it" in capsys.readouterr().out


STUCK = """
import signal, sys, time
from pathlib import Path
from infra.home.paths import Home
from infra.services.supervisor import Supervisor
from infra.system.stop_signal import StopSignal
stop = StopSignal()
stop.install()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
Supervisor(Home(Path(sys.argv[1]))).note(state="up")
time.sleep(100)
"""
"""An `up` that no signal stops."""


def test_one_that_does_not_stop_prints_where_it_is_and_is_killed(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [sys.executable, "-c", STUCK, str(home.path)]
    assert detach(home, argv, Steps()) == 0
    log, status = home.up_log, read_json(home.status_file)
    assert status is not None
    assert down(home, Steps(), timeout=0.5)
    assert ProcessId.from_json(status["supervisor"]).process() is None
    said = f"`up` did not stop within 0 s and is killed; where it was it prints, with --detach into {log}"
    assert said in capsys.readouterr().out
    assert "most recent call first" in log.read_text()


STARTING = """
import sys, time
from pathlib import Path
from infra.home.home_lock import home_lock
from infra.home.paths import Home
from infra.system.stop_signal import StopSignal
StopSignal().install()
with home_lock(Home(Path(sys.argv[1]))):
    print("held", flush=True)
    try:
        time.sleep(100)
    except KeyboardInterrupt:
        print("in order", flush=True)
"""
"""An `up` that has the lock, and stops what one before it has left."""


@contextmanager
def starting(home: Home) -> Iterator[subprocess.Popen[str]]:
    up = subprocess.Popen([sys.executable, "-c", STARTING, str(home.path)], stdout=subprocess.PIPE, text=True)
    try:
        assert up.stdout is not None
        assert up.stdout.readline() == "held\n"
        yield up
    finally:
        up.kill()
        up.communicate(timeout=20)


STARTER = """
import signal, sys
from pathlib import Path
from infra.detached import detach
from infra.home.paths import Home
from infra.system.progress import Steps
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(detach(Home(Path(sys.argv[1])), [sys.executable, "-c", sys.argv[2], sys.argv[1]], Steps()))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_interrupted_while_it_starts_one_stops_it_in_order(home: Home, number: signal.Signals) -> None:
    argv = [sys.executable, "-c", STARTER, str(home.path), STARTING]
    starter = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "held\n"
        starter.send_signal(number)
        output, _ = starter.communicate(timeout=60)
        assert (starter.returncode, output) == (130, "stopping\nin order\n")
        assert not is_run(home)
    finally:
        starter.kill()
        starter.wait(20)
        down(home, Steps())


LOADING = """
import sys, time
from infra.cli.main import main

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "infra.up":
            print("loading", flush=True)
            time.sleep(100)

sys.meta_path.insert(0, Finder())
sys.argv = ["martlet", "up", "--home", sys.argv[1]]
main()
"""
"""An `up` that loads its modules, which takes seconds on a slow machine."""


def test_down_stops_one_that_still_loads(home: Home) -> None:
    up = subprocess.Popen([sys.executable, "-c", LOADING, str(home.path)], stdout=subprocess.PIPE, text=True)
    try:
        assert up.stdout is not None
        assert up.stdout.readline() == "loading\n"
        assert down(home, Steps())
        up.wait(20)
        assert not is_run(home)
    finally:
        up.kill()
        up.communicate(timeout=20)


def test_down_stops_one_that_has_just_begun(home: Home) -> None:
    with starting(home) as up:
        assert down(home, Steps())
        assert not is_run(home)
        assert up.stdout is not None
        assert up.stdout.readline() == "in order\n"


def test_down_stops_one_that_has_just_begun_and_what_a_dead_one_before_it_left(home: Home) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    try:
        service = ProcessId.of(left.pid)
        assert service is not None
        dead = {"supervisor": {"pid": 999_999_999, "started": 0.0}, "services": {"redis": service.to_json()}}
        write_json(home.status_file, dead)
        with starting(home):
            assert down(home, Steps())
            assert not is_run(home)
        assert service.process() is None
        assert not home.status_file.exists()
    finally:
        left.kill()
        left.wait(20)


RUNNING = """
import sys
from pathlib import Path
from infra.home.home_lock import home_lock
from infra.home.paths import Home
from infra.services.service import Service
from infra.services.supervisor import Supervisor
home = Home(Path(sys.argv[1]))
with home_lock(home):
    Supervisor(home).begin(Service("redis", (sys.executable, "-c", "import time; time.sleep(100)"), lambda: None))
    print("runs", flush=True)
    sys.stdin.read()
"""
"""An `up` with one service, that ends where its input does, without a word."""


@contextmanager
def up_with_a_service(home: Home) -> Iterator[tuple[ProcessId, ProcessId]]:
    """An `up`, and its service."""
    argv = [sys.executable, "-c", RUNNING, str(home.path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        assert up.stdout.readline() == "runs\n"
        status = read_json(home.status_file)
        assert status is not None
        own, service = (ProcessId.from_json(each) for each in (status["supervisor"], status["services"]["redis"]))
        try:
            yield own, service
        finally:
            stop(service, 0)
            up.kill()


def test_a_copy_of_a_home_that_runs_leaves_it_running(home: Home, tmp_path_factory: pytest.TempPathFactory) -> None:
    with up_with_a_service(home) as (up, service):
        copy = Home(shutil.copytree(home.path, tmp_path_factory.mktemp("copies") / "copy"))
        with pytest.raises(Unavailable, match="nothing runs in"):
            last_status(copy)
        assert not down(copy, Steps())
        stop_leftovers(copy.status_file, pytest.fail)  # as `up` does
        assert not copy.status_file.exists()
        assert left_after(0, [up, service]) == [up, service]
        assert down(home, Steps())
        assert left_after(0, [up]) == []


def test_what_a_home_has_left_is_known_where_it_was_moved_and_where_its_disk_counts_anew(
    home: Home, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with up_with_a_service(home) as (up, service):
        stop(up, 0)
        moved = Home(home.path.rename(tmp_path_factory.mktemp("homes") / "moved"))
        (path, number), status = (read_json(moved.status_file) or {})["folder"], read_json(moved.status_file)
        assert path == str(home.run)
        for folder, believed in (([path, "0:0"], False), ([path, number], True), ([str(moved.run), "0:0"], True)):
            write_json(moved.status_file, {**(status or {}), "folder": folder})
            assert (noted_processes(moved.status_file) is not None) is believed
        assert down(moved, Steps())
        assert left_after(0, [service]) == []


INDIFFERENT = """
import subprocess, sys
up = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdout=subprocess.PIPE)
print(up.stdout.readline().decode(), end="", flush=True)
sys.stdin.read()
"""
"""The first process of a container that is no init: it starts an `up`, and what has ended stays a zombie."""


def test_down_sees_that_one_has_ended_which_nobody_reaps(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [sys.executable, "-c", INDIFFERENT, STARTING, str(home.path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "held\n"
        assert down(home, Steps(), timeout=5.0)
        parent.kill()
    assert "is killed" not in capsys.readouterr().out
