"""An attached Flink at the door: what is refused, what is waited for, what is ended."""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from features.errors import BadInput, Unavailable
from infra.attached.findings import Finding
from infra.attached.flink_entry import end_leftover_job, enter_flink, examine_flink, flink_findings
from infra.detached import down
from infra.home.home_lock import home_lock
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.settings.table import Flink as FlinkSettings
from infra.stack import Stack
from infra.system.processes import free_ports
from infra.system.progress import Steps
from infra.up_options import UpOptions
from tests.flink_stub import Flink, flink_stub

READ_ONLY = Path("/System" if sys.platform == "darwin" else "/sys")
"""A folder in which nobody makes another one."""


def overview(version: str = "2.3.0", free: int = 2, total: int = 3) -> dict[str, object]:
    return {"flink-version": version, "slots-available": free, "slots-total": total, "taskmanagers": total}


@pytest.fixture
def flink() -> Iterator[Flink]:
    with flink_stub() as server:
        server.answers["/overview"] = overview()
        yield server


def record_of(folder: Path, flink: str = "") -> HomeRecord:
    record = HomeRecord(Home(folder).make())
    record.describe("none", None)
    record.put_flink(flink)
    record.save()
    return record


def only(findings: Iterator[Finding]) -> Finding:
    (found,) = [each for each in findings if each.help]
    return found


def test_a_cluster_with_room_is_named(flink: Flink, tmp_path: Path) -> None:
    assert enter_flink(flink.address, record_of(tmp_path)) == f"attached: 2.3.0 at {flink.address}"
    assert [each.found for each in examine_flink(flink.address, 2)][1] == "2 of 3 are free, in 3 TaskManagers"


@pytest.mark.parametrize("version", ["1.20.3", "2.2.1", "2.30.0", "3.3"])
def test_another_version_is_refused(version: str, flink: Flink, tmp_path: Path) -> None:
    flink.answers["/overview"] = overview(version)
    with pytest.raises(BadInput, match=rf"Flink: version: expected 2\.3, as its Python packages .* got {version} "):
        enter_flink(flink.address, record_of(tmp_path))


def test_a_newer_patch_will_do(flink: Flink) -> None:
    flink.answers["/overview"] = overview("2.3.7")
    assert not any(each.help for each in examine_flink(flink.address, 2))


def test_a_cluster_without_slots_is_refused(flink: Flink) -> None:
    flink.answers["/overview"] = overview(free=1)
    found = only(examine_flink(flink.address, 2))
    assert isinstance(found.error, BadInput)
    assert str(found.error) == (
        "Flink: slots: expected 2 free slots, two for each degree of parallelism, got 1 of 3 in 3 TaskManagers "
        "(start TaskManagers with a slot each)"
    )


def test_slots_that_are_on_their_way_are_waited_for(flink: Flink, tmp_path: Path) -> None:
    record = record_of(tmp_path)
    record.configure(parallelism=2)
    found: list[str] = []
    entering = threading.Thread(target=lambda: found.append(enter_flink(flink.address, record)))
    entering.start()
    while len(flink.asked) < 2:  # it has been refused once, and asked again
        assert entering.is_alive()
        entering.join(0.02)
    flink.answers["/overview"] = overview(free=4, total=4)
    entering.join(20)
    assert found == [f"attached: 2.3.0 at {flink.address}"]


def test_a_cluster_that_is_away_or_is_no_flink_is_refused(flink: Flink, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(Unavailable, match=rf"Flink: {address}: .*refused.* or change flink.address"):
        enter_flink(address, record_of(tmp_path))
    answers: tuple[object, ...] = ({"status": "well"}, [], None, {**overview(), "slots-total": "many"})
    for answer in answers:
        flink.answers["/overview"] = answer
        found = only(examine_flink(flink.address, 2))
        assert found.found == f"{flink.address}: it answers, but not as Flink does"


def test_of_several_job_managers_one_that_answers_will_do(flink: Flink, tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    found = f"2.3.0 at {flink.address}, while {dead} does not answer"
    for both in (f"{dead},{flink.address}", f"{flink.address},{dead}"):
        assert enter_flink(both, record_of(tmp_path)) == f"attached: {found}"
    with flink_stub() as successor:
        successor.answers["/overview"] = overview()
        three = ",".join((flink.address, dead, successor.address))
        assert next(examine_flink(three, 2)).found == (
            f"2.3.0 at {flink.address},{successor.address}, while {dead} does not answer"
        )


def test_several_job_managers_of_which_none_answers_are_named(tmp_path: Path) -> None:
    first, second = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    with pytest.raises(
        Unavailable, match=rf"Flink: {first}: .*refused.*; {second}: .*refused.* or change flink.address"
    ):
        enter_flink(f"{first},{second}", record_of(tmp_path))


def test_job_managers_of_two_clusters_are_refused(flink: Flink, tmp_path: Path) -> None:
    with flink_stub() as other:
        other.answers["/overview"] = overview()
        both = f"{flink.address},{other.address}"
        for server, workers in ((flink, ["a", "b"]), (other, ["b", "c"])):
            server.answers["/taskmanagers"] = {"taskmanagers": [{"id": worker} for worker in workers]}
        assert not any(each.help for each in examine_flink(both, 2)), "one of them has just registered, or has gone"
        other.answers["/taskmanagers"] = {"taskmanagers": [{"id": "c"}]}
        expected = (
            rf"Flink: JobManagers: expected JobManagers of one cluster, got {other.address} has other TaskManagers than "
            rf"{flink.address} \(change flink\.address\)"
        )
        with pytest.raises(BadInput, match=expected):
            enter_flink(both, record_of(tmp_path))


def probed(flink: Flink, home: Home) -> Finding:
    """What the doctor says last of a cluster with room."""
    *_, last = flink_findings(home, HomeRecord(home), FlinkSettings(address=flink.address), None, None)
    assert last.name == "Flink: probe"
    return last


def test_a_probe_wants_the_homes_folder_and_makes_none(flink: Flink, tmp_path: Path) -> None:
    found = probed(flink, Home(tmp_path / "home"))
    assert isinstance(found.error, BadInput)
    assert found.found == f"not run: no folder {tmp_path}/home"
    assert found.help.startswith(f"mkdir -p {tmp_path}/home, for the user of Flink's processes")
    assert not list(tmp_path.iterdir())


def test_a_home_that_can_not_be_written_to_is_a_finding(flink: Flink) -> None:
    found = probed(flink, Home(READ_ONLY))
    assert re.match(
        r"not run: \[Errno \d+\] (Read-only file system|Operation not permitted|Permission denied)", found.found
    )
    assert found.help == "./martlet doctor runs it where `up` or `job` may run"


def test_without_pyflink_a_cluster_is_examined_and_no_probe_runs(
    flink: Flink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyflink", None)
    found = probed(flink, Home(tmp_path))
    assert not found.help
    assert found.found.startswith("not run: PyFlink is not installed here")
    assert not [path for method, path, _ in flink.asked if method != "GET"]


@contextmanager
def running_job(flink: Flink, record: HomeRecord) -> Iterator[None]:
    """The home's job runs beside another one, until it is cancelled."""
    own, other = ({"jid": jid, "state": "RUNNING", "start-time": 1} for jid in ("own", "other"))
    jobs = [{**other, "name": "martlet-other"}, {**own, "name": record.job_name}]
    flink.answers |= {"/jobs/overview": {"jobs": jobs}, "/jobs/own": {}}
    over = threading.Event()

    def obey() -> None:
        while not any(method == "PATCH" for method, _, _ in flink.asked) and not over.wait(0.02):
            pass
        flink.answers["/jobs/overview"] = {"jobs": jobs[:1]}

    obeying = threading.Thread(target=obey)
    obeying.start()
    try:
        yield
    finally:
        over.set()
        obeying.join(20)


def cancelled(flink: Flink) -> set[str]:
    return {path for method, path, _ in flink.asked if method == "PATCH"}


def test_a_job_that_was_left_there_is_ended_and_no_other(flink: Flink, tmp_path: Path) -> None:
    record, printed = record_of(tmp_path, flink.address), list[str]()
    with running_job(flink, record):
        assert end_leftover_job(Home(tmp_path), printed.append)
    assert cancelled(flink) == {"/jobs/own"}
    assert printed == [f"ended the job {record.job_name} in {flink.address}"]
    assert not end_leftover_job(Home(tmp_path), pytest.fail)


def test_a_job_whose_start_is_broken_off_is_ended(flink: Flink, tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    engines = '[kafka]\nbootstrap = "127.0.0.1:1"\n[redis]\nurl = "redis://127.0.0.1:1"\n'
    home.settings_file.write_text(f'{engines}[flink]\naddress = "{flink.address}"\n')
    with (
        ExitStack() as runs,
        suppress(KeyboardInterrupt),
        Stack.opened(home, UpOptions(dataset="none"), Steps()) as stack,
    ):
        stack.enter_cluster()
        runs.enter_context(running_job(flink, stack.record))  # submitted, and not running yet
        raise KeyboardInterrupt
    assert cancelled(flink) == {"/jobs/own"}


def test_down_ends_a_job_that_nobody_keeps_where_nothing_else_runs(flink: Flink, tmp_path: Path) -> None:
    home, record = Home(tmp_path), record_of(tmp_path, flink.address)
    with running_job(flink, record):
        with home_lock(home):  # of another container: no process here has its pid
            (home.run / "lock").write_text("999999999")
            with pytest.raises(BadInput, match="which runs elsewhere"):  # somebody keeps it, or is about to
                down(home, Steps())
        assert not cancelled(flink)
        assert down(home, Steps())
    assert cancelled(flink) == {"/jobs/own"}
    assert not down(home, Steps())


def test_a_job_in_a_cluster_that_is_away_is_named(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    record = record_of(tmp_path, address)
    printed: list[str] = []
    end_leftover_job(Home(tmp_path), printed.append)
    assert printed[0].startswith(f"if the job {record.job_name} runs on in {address}, cancel it there: ")


def test_a_home_with_a_cluster_of_its_own_asks_none(flink: Flink, tmp_path: Path) -> None:
    assert record_of(tmp_path).job_name == "martlet"
    end_leftover_job(Home(tmp_path), pytest.fail)
    assert record_of(tmp_path / "other", flink.address).job_name.startswith("martlet-")
    assert not flink.asked
