"""The locks of a home, and what is known by them of a home that another container runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from features.errors import BadInput, Unavailable
from infra.detached import down
from infra.home.home_lock import home_lock, is_run, is_watched, watch_lock
from infra.home.paths import Home, read_json, write_json
from infra.home.running import last_status, running_status
from infra.monitoring.status import collect
from infra.system.processes import ProcessId
from infra.system.progress import Steps
from tests.infra.roles.new_homes import described_home

NOBODY = {"pid": 999_999_999, "started": 0.0}
"""A process that is not on this machine: of another container, or dead."""
HOLDER = """import sys, pathlib
from infra.home.home_lock import home_lock
from infra.home.paths import Home
with home_lock(Home(pathlib.Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(home: Home) -> Iterator[None]:
    """The lock of a home's job is held by another process."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
    finally:
        holder.kill()
        holder.communicate(timeout=10)


def test_one_process_runs_a_home_and_another_may_watch_over_it(home: Home) -> None:
    assert (is_run(home), is_watched(home)) == (False, False)
    with home_lock(home):
        assert (is_run(home), is_watched(home)) == (True, False)
        with watch_lock(home):
            assert is_watched(home)
        with pytest.raises(
            BadInput, match=f"a home in which no up or job runs, got .*, which process {os.getpid()} runs"
        ):
            home_lock(home).__enter__()
    with watch_lock(home), pytest.raises(BadInput, match="a home in which no up or watch runs"):
        watch_lock(home).__enter__()
    assert not is_run(home)


def test_a_home_that_another_container_runs_is_known_by_its_lock(home: Home) -> None:
    write_json(home.status_file, {"supervisor": NOBODY, "state": "up", "services": {}})
    with pytest.raises(Unavailable, match="nothing runs"):
        running_status(home)
    with held_elsewhere(home):
        assert running_status(home)["state"] == "up"


def test_a_watch_alone_does_not_pass_for_a_home_that_runs(tmp_path: Path) -> None:
    home = described_home(tmp_path)
    me = ProcessId.of(os.getpid())
    assert me is not None
    alive = {"supervisor": {"pid": me.pid, "started": me.started}, "state": "begun", "services": {}}
    write_json(home.watch_file, alive)
    with watch_lock(home):
        with pytest.raises(Unavailable, match="nothing runs"):
            running_status(home)
        report = collect(home)
        assert (report["supervised"], report["state"]) == (False, "no up or job runs")
        with held_elsewhere(home):
            assert running_status(home)["state"] == "begun"


@pytest.mark.parametrize("wrote", [True, False])
def test_down_leaves_what_another_container_runs(home: Home, wrote: bool) -> None:
    if wrote:
        write_json(home.status_file, {"supervisor": NOBODY, "state": "up", "services": {}})
    with held_elsewhere(home):
        (home.run / "lock").write_text(str(NOBODY["pid"]))
        with pytest.raises(BadInput, match="which runs elsewhere: stop it there"):
            down(home, Steps())
    assert (read_json(home.status_file) is not None) is wrote
    assert down(home, Steps()) is wrote
    assert read_json(home.status_file) is None


def test_down_leaves_who_only_has_the_pid_of_a_holder_elsewhere(home: Home) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    try:
        with held_elsewhere(home):
            (home.run / "lock").write_text(str(other.pid))
            with pytest.raises(BadInput, match="which runs elsewhere: stop it there"):
                down(home, Steps())
        assert other.poll() is None
    finally:
        other.kill()
        other.wait(20)


def test_the_status_of_job_and_watch_is_one(home: Home) -> None:
    service = {"pid": 1, "started": 0.0}
    write_json(home.watch_file, {"supervisor": NOBODY, "state": "up", "alarms": [], "services": {"judge": service}})
    assert last_status(home)["alarms"] == []
    job = {"supervisor": {"pid": 5, "started": 1.0}, "state": "starting", "services": {"job-client": service}}
    write_json(home.status_file, job)
    both = last_status(home)
    assert (both["state"], both["supervisor"], both["alarms"]) == ("starting", job["supervisor"], [])
    assert set(both["services"]) == {"judge", "job-client"}
