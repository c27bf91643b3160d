"""Supervision, with real (small) processes."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from features.errors import BadInput, Unavailable
from infra.home.paths import Home, read_json
from infra.services.service import Service
from infra.services.supervisor import Supervisor, stop_leftovers
from infra.system.processes import ProcessId, free_ports, lower_priority, require_free, spawn, stop
from tests.home import until

pytestmark = pytest.mark.services


def service(code: str, flag: Path, **more: Any) -> Service:
    """A Python child that is ready once it has made `flag`."""

    def ready() -> None:
        if not flag.exists():
            raise Unavailable("no flag yet")

    return Service("child", (sys.executable, "-c", code), ready, **more)


def test_a_child_that_dies_is_started_again_and_status_says_so(
    home: Home, supervisor: Supervisor, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    supervisor.start(service(f"open({str(flag)!r}, 'w').close(); import time; time.sleep(60)", flag))
    supervisor.start_monitor()
    first = supervisor.child_id("child")
    process = first.process()
    assert process is not None
    process.kill()
    until(lambda: supervisor.child_id("child") != first)
    status = read_json(home.status_file)
    assert status is not None
    assert status["services"]["child"]["restarts"] == 1
    assert status["services"]["child"]["last_exit"] == -signal.SIGKILL


def test_one_that_runs_but_can_do_no_more_is_replaced_at_once(
    home: Home, supervisor: Supervisor, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    waiting = service(f"open({str(flag)!r}, 'w').close(); import time; time.sleep(60)", flag, restart_after=600.0)
    supervisor.start(waiting)
    supervisor.start_monitor()
    first = supervisor.child_id("child")
    assert supervisor.replace("child", first.started - 1)
    assert supervisor.child_id("child") == first, "what failed before its start was another one"
    assert supervisor.replace("child", time.time())
    assert first.process() is None
    assert supervisor.child_id("child") != first
    assert supervisor.child_id("child").process() is not None
    status = read_json(home.status_file)
    assert status is not None
    assert status["services"]["child"]["restarts"] == 1
    assert not supervisor.replace("nobody", time.time()), "a service of somebody else"


def test_a_replacement_that_can_not_be_started_is_tried_again(
    home: Home, supervisor: Supervisor, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.symlink_to(sys.executable)
    supervisor.start(Service("child", (str(program), "-c", "import time; time.sleep(60)"), lambda: None))
    supervisor.start_monitor()
    first = supervisor.child_id("child")
    program.unlink()
    assert supervisor.replace("child", time.time())
    assert supervisor.waiting() == {"child"}
    program.symlink_to(sys.executable)
    until(lambda: supervisor.child_id("child") != first)


def test_one_that_dies_over_and_over_waits_for_its_next_start_no_longer_than_the_home_says(home: Home) -> None:
    (home.run / "times.json").write_text('{"longest_pause": 0.1}')
    supervisor = Supervisor(home)
    try:
        supervisor.start_all([Service("child", (sys.executable, "-c", "pass"), lambda: None)])
        supervisor.start_monitor()
        until(lambda: (read_json(home.status_file) or {})["services"]["child"]["restarts"] >= 8)
    finally:
        supervisor.stop_all()


def two_of_a_kind(supervisor: Supervisor, folder: Path) -> None:
    """Starts the children child and child-2, either of which takes the other's work over."""
    code = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(60)"
    for name in ("child", "child-2"):
        argv = (sys.executable, "-c", code, folder / name)
        supervisor.start(Service(name, argv, (folder / name).stat, restart_after=3600.0))
    supervisor.start_monitor()


def kill(supervisor: Supervisor, name: str) -> ProcessId:
    killed = supervisor.child_id(name)
    process = killed.process()
    assert process is not None
    process.kill()
    return killed


def test_one_whose_work_another_takes_over_waits_for_its_restart(supervisor: Supervisor, tmp_path: Path) -> None:
    two_of_a_kind(supervisor, tmp_path)
    assert supervisor.waiting() == set()
    supervisor.restart_now("child")  # it runs: nothing is to be done
    first = kill(supervisor, "child")
    until(lambda: supervisor.waiting() == {"child"})
    with pytest.raises(AssertionError, match="did not happen within"):
        until(lambda: supervisor.child_id("child") != first, 2.0)
    for _ in range(3):
        supervisor.restart_now("child")
    until(lambda: supervisor.child_id("child") != first)
    assert supervisor.waiting() == set()


def test_where_none_of_a_kind_runs_nobody_takes_over_and_all_are_restarted(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    two_of_a_kind(supervisor, tmp_path)
    first = kill(supervisor, "child")
    until(lambda: supervisor.waiting() == {"child"})
    second = kill(supervisor, "child-2")
    until(lambda: supervisor.child_id("child") != first)
    until(lambda: supervisor.child_id("child-2") != second)
    assert supervisor.waiting() == set()


def is_now_a_folder(file: Path) -> bool:
    """Puts an empty folder in a file's place, unless the file is written again just then."""
    file.unlink(missing_ok=True)
    with contextlib.suppress(FileExistsError):
        file.mkdir()
    return file.is_dir()


def test_nothing_that_fails_ends_supervision(home: Home, supervisor: Supervisor, tmp_path: Path) -> None:
    """A chore that raises, a program that is away for a moment, a status file that can't be written."""
    program = tmp_path / "program"
    program.symlink_to(sys.executable)
    flag = tmp_path / "flag"
    code = f"open({str(flag)!r}, 'w').close(); import time; time.sleep(60)"
    supervisor.start(Service("child", (program, "-c", code), flag.stat))
    chores = []

    def chore() -> None:
        chores.append(1)
        raise KeyError("no such key")

    supervisor.add_chore(chore)
    supervisor.start_monitor()
    program.unlink()
    first = kill(supervisor, "child")

    def troubles() -> str:
        return str((read_json(home.status_file) or {}).get("troubles"))

    until(lambda: "No such file" in troubles() and "KeyError" in troubles())
    until(lambda: is_now_a_folder(home.status_file))  # it can't be replaced any more
    program.symlink_to(sys.executable)
    until(lambda: supervisor.child_id("child") != first)
    seen = len(chores)
    until(lambda: len(chores) > seen + 1)
    home.status_file.rmdir()
    until(lambda: "KeyError" in troubles() and "IsADirectoryError" in troubles())


def test_a_service_that_had_died_was_not_stopped_in_order(supervisor: Supervisor, tmp_path: Path) -> None:
    two_of_a_kind(supervisor, tmp_path)
    kill(supervisor, "child")
    until(lambda: supervisor.waiting() == {"child"})
    assert supervisor.end("child") is False
    assert supervisor.end("child-2") is True


def test_one_that_is_being_stopped_is_known_to_a_successor_until_it_has_gone(
    home: Home, supervisor: Supervisor, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    supervisor.start(service(f"{ignore}; open({str(flag)!r}, 'w').close(); time.sleep(60)", flag, grace=30.0))
    supervisor.start_monitor()
    child = supervisor.child_id("child")
    ending = threading.Thread(target=supervisor.end, args=("child",))
    ending.start()
    try:
        with pytest.raises(AssertionError, match="did not happen within"):
            until(lambda: "child" not in (read_json(home.status_file) or {})["services"], 1.0)
    finally:
        process = child.process()
        assert process is not None
        process.kill()
        ending.join(30)
    assert (read_json(home.status_file) or {})["services"] == {}  # and it is not restarted


def test_not_ready_is_an_error_with_the_end_of_the_log(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="the reason is here"):
        supervisor.start(service("print('the reason is here'); raise SystemExit(3)", tmp_path / "never"))


def test_stopping_leaves_nothing_behind_even_if_it_does_not_want_to_go(
    home: Home, supervisor: Supervisor, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    stubborn = f"{ignore}; open({str(flag)!r}, 'w').close(); time.sleep(60)"
    supervisor.start(service(stubborn, flag, grace=0.3))
    child = supervisor.child_id("child")
    supervisor.stop_all()
    assert child.process() is None
    assert not home.status_file.exists()


def test_a_successor_cleans_up_by_pid_and_start_time(home: Home, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    abandoned = Supervisor(home)
    abandoned.start(service(f"open({str(flag)!r}, 'w').close(); import time; time.sleep(60)", flag))
    child = abandoned.child_id("child")
    output: list[str] = []
    stop_leftovers(home.status_file, output.append)  # the supervisor died with kill -9: nobody stopped its child
    assert child.process() is None
    assert output


def asleep() -> "tuple[subprocess.Popen[bytes], ProcessId]":
    work = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    known = ProcessId.of(work.pid)
    assert known is not None
    return work, known


def test_work_that_is_attended_is_told_and_stopped_with_everything(home: Home) -> None:
    supervisor, (work, known) = Supervisor(home), asleep()

    def work_until_stopped() -> None:
        with supervisor.attending("training", work):
            status = read_json(home.status_file)
            assert status is not None
            assert status["services"]["training"]["pid"] == work.pid
            supervisor.stop_all()
            assert known.process() is None

    with pytest.raises(Unavailable, match="being stopped"):
        work_until_stopped()
    assert not home.status_file.exists()


def test_work_that_is_attended_is_stopped_by_a_successor(home: Home) -> None:
    work, known = asleep()
    with Supervisor(home).attending("training", work):
        stop_leftovers(home.status_file, lambda _: None)
        assert known.process() is None


def test_work_that_has_ended_is_forgotten_and_what_is_left_of_it_is_ended(home: Home, supervisor: Supervisor) -> None:
    work, known = asleep()
    with supervisor.attending("training", work):
        pass
    assert known.process() is None
    status = read_json(home.status_file)
    assert status is not None
    assert status["services"] == {}


def test_nothing_begins_while_everything_is_being_stopped(home: Home, tmp_path: Path) -> None:
    supervisor, (work, known) = Supervisor(home), asleep()
    supervisor.stop_all()
    with pytest.raises(Unavailable, match="being stopped"):
        supervisor.begin(service("", tmp_path / "flag"))
    with pytest.raises(Unavailable, match="being stopped"), supervisor.attending("training", work):
        pytest.fail("it was attended")
    assert known.process() is None
    assert not home.status_file.exists()


def test_another_process_with_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    popen = spawn([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", {}, tmp_path)
    real = ProcessId.of(popen.pid)
    assert real is not None
    stop(ProcessId(real.pid, real.started - 100), grace=1)
    assert real.process() is not None
    stop(real, grace=5)
    popen.wait(5)


def test_work_that_nobody_waits_for_stands_back_with_all_of_its_session(tmp_path: Path) -> None:
    started = spawn([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", {}, tmp_path)
    known = ProcessId.of(started.pid)
    assert known is not None
    try:
        lower_priority(started.pid, 19)
        assert psutil.Process(started.pid).nice() == 19
        group = Path(f"/proc/{started.pid}/autogroup")
        if group.exists():
            assert group.read_text().endswith("nice 19\n")
    finally:
        stop(known, grace=5)
    lower_priority(started.pid, 19)  # it has ended: nothing happens


def test_a_taken_port_is_named_with_its_holder() -> None:
    import socket

    port = free_ports(1)[0]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        with pytest.raises(BadInput, match=f"got {port}, which process"):
            require_free(port)
