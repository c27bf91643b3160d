"""The process that submits the job, with a stand-in for `streaming.job` that says what it was told."""

from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.flink.job_client import NAME, JobClient, NotSubmitted
from infra.home.paths import Home, read_json
from infra.services.environment import python_env
from infra.services.supervisor import Supervisor

STAND_IN = """
import sys
print("started", *sys.argv[1:], flush=True)
order = sys.stdin.readline()
print("told", order, flush=True)
if "cause" in order:
    print("Caused by: a.A: outer\\n  Caused by: b.B: inner\\n\\tat c.C", flush=True)
sys.exit("CheckpointCoordinator.restore went wrong" if "bad" in order or "cause" in order else 0 if order else 7)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").make()


@pytest.fixture
def client(tmp_path: Path, supervisor: Supervisor) -> JobClient:
    package = tmp_path / "code" / "streaming"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "job.py").write_text(STAND_IN)
    env = python_env({"PYTHONPATH": str(package.parent)})
    return JobClient(tmp_path / "job.json", tmp_path / "submit.log", env, supervisor)


def lines(tmp_path: Path) -> list[str]:
    return [line for line in (tmp_path / "submit.log").read_text().splitlines() if line]


def attended(home: Home) -> bool:
    status = read_json(home.status_file)
    return status is not None and NAME in status["services"]


def test_a_client_is_told_what_to_start_from(client: JobClient, home: Home, tmp_path: Path) -> None:
    client.submit(None)
    client.submit("file:/chk-3")
    begin = f"started --settings {tmp_path / 'job.json'}"
    assert lines(tmp_path) == [begin, 'told {"restore": null}', begin, 'told {"restore": "file:/chk-3"}']
    assert not attended(home)


def test_one_that_was_started_ahead_is_used_once(client: JobClient, home: Home, tmp_path: Path) -> None:
    client.start_ahead(2)
    assert attended(home)
    client.submit(None)
    client.submit(None)
    assert [line.endswith(" --warm 2") for line in lines(tmp_path) if line.startswith("started")] == [True, False]
    assert not attended(home)


def test_what_a_client_that_fails_has_said_is_told(client: JobClient) -> None:
    with pytest.raises(NotSubmitted, match="went wrong") as caught:
        client.submit("bad")
    assert "CheckpointCoordinator.restore went wrong" in caught.value.output
    assert caught.value.output.startswith("started")


def test_a_cause_in_what_it_has_said_goes_before_all_else(client: JobClient, tmp_path: Path) -> None:
    with pytest.raises(NotSubmitted, match=rf"^the job was not submitted: b\.B: inner; see {tmp_path}/submit\.log$"):
        client.submit("cause")


def test_another_takes_the_place_of_one_that_died_meanwhile(
    client: JobClient, supervisor: Supervisor, tmp_path: Path
) -> None:
    client.start_ahead(2)
    process = supervisor.child_id(NAME).process()
    assert process is not None
    process.kill()
    process.wait(5)
    client.submit(None)
    assert lines(tmp_path)[-1] == 'told {"restore": null}'


def test_one_that_was_not_needed_is_stopped_with_all_else(
    client: JobClient, home: Home, supervisor: Supervisor
) -> None:
    client.start_ahead(2)
    child = supervisor.child_id(NAME)
    assert child.process() is not None
    supervisor.stop_all()
    assert child.process() is None
    assert not attended(home)


def test_no_client_is_started_while_everything_is_being_stopped(client: JobClient, supervisor: Supervisor) -> None:
    supervisor.stop_all()
    with pytest.raises(Unavailable, match="being stopped"):
        client.submit(None)


def test_one_that_waits_for_a_fault_is_there_once_and_does_the_next_start(
    client: JobClient, supervisor: Supervisor, home: Home, tmp_path: Path
) -> None:
    client.prepare()
    first = supervisor.child_id(NAME)
    client.prepare()
    assert supervisor.child_id(NAME) == first
    client.submit("file:/chk-3")
    assert lines(tmp_path) == [
        f"started --settings {tmp_path / 'job.json'} --warm 0",
        'told {"restore": "file:/chk-3"}',
    ]
    assert first.process() is None
    assert not attended(home)


def test_one_that_dies_while_it_waits_is_not_started_over_and_over(
    client: JobClient, supervisor: Supervisor, tmp_path: Path
) -> None:
    client.prepare()
    process = supervisor.child_id(NAME).process()
    assert process is not None
    process.kill()
    process.wait(5)
    for _ in range(3):
        client.prepare()
    client.submit(None)
    assert not lines(tmp_path)[-2].endswith("--warm 0"), "one that was started when it was needed"


def test_one_that_knows_the_old_code_is_not_used_after_an_upgrade(
    client: JobClient, supervisor: Supervisor, tmp_path: Path
) -> None:
    client.prepare()
    old = supervisor.child_id(NAME)
    client.drop()
    assert old.process() is None
    client.submit(None)
    assert not lines(tmp_path)[-2].endswith("--warm 0")
