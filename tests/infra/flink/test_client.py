"""What is asked of Flink's REST interface, and made of its answers."""

import time
from collections.abc import Iterator

import pytest

from features.errors import Unavailable
from infra.flink.client import NO_FAILURE, TIMEOUT, Failure, FlinkClient, all_run, innermost_cause
from infra.system.processes import free_ports
from tests.flink_stub import Flink, flink_stub
from tests.strange_listeners import address_of, connections_to, silent_listener


def job(jid: str, state: str, start: int, name: str = "martlet") -> dict[str, object]:
    return {"jid": jid, "name": name, "state": state, "start-time": start}


@pytest.fixture
def flink() -> Iterator[Flink]:
    with flink_stub() as server:
        yield server


def client(flink: Flink) -> FlinkClient:
    return FlinkClient(flink.address)


def test_the_job_that_lives_goes_before_a_newer_one_that_ended(flink: Flink) -> None:
    flink.answers["/jobs/overview"] = {
        "jobs": [job("warm", "RUNNING", 9, "warm-up"), job("b", "FAILED", 5), job("a", "RESTARTING", 1)]
    }
    assert [each["jid"] for each in client(flink).jobs()] == ["b", "a"]
    assert client(flink).live_job() == client(flink).newest_job() == "a"


def test_a_home_knows_its_own_job_among_others_in_a_shared_cluster(flink: Flink) -> None:
    flink.answers["/jobs/overview"] = {
        "jobs": [job("other", "RUNNING", 9, "martlet-2"), job("own", "RUNNING", 1, "martlet-1")]
    }
    assert FlinkClient(flink.address, job_name="martlet-1").live_job() == "own"
    assert FlinkClient(flink.address, job_name="martlet-3").live_job() is None


def test_without_one_that_lives_the_last_one_is_the_newest(flink: Flink) -> None:
    flink.answers["/jobs/overview"] = {"jobs": [job("a", "FAILED", 5), job("b", "FINISHED", 7), job("c", "FAILED", 6)]}
    assert client(flink).live_job() is None
    assert client(flink).newest_job() == "b"
    flink.answers["/jobs/overview"] = {"jobs": []}
    assert client(flink).newest_job() is None


def test_a_job_runs_when_each_of_its_tasks_does() -> None:
    running, waiting = {"status": "RUNNING"}, {"status": "SCHEDULED"}
    assert all_run({"state": "RUNNING", "vertices": [running, running]})
    assert not all_run({"state": "RUNNING", "vertices": [running, waiting]})
    assert not all_run({"state": "RESTARTING", "vertices": [running]})


def test_failures_and_metrics_that_are_not_there(flink: Flink) -> None:
    flink.answers["/jobs/a/exceptions"] = {"exceptionHistory": {"entries": []}}
    flink.answers["/jobs/a/metrics?get=x,y"] = [{"id": "x", "value": "3"}]
    flink.answers["/jobs/a/vertices/v/subtasks/metrics?get=x&agg=max"] = None
    assert client(flink).newest_failure("a") == NO_FAILURE
    assert client(flink).job_metrics("a", ("x", "y")) == {"x": "3"}
    assert client(flink).vertex_metrics("a", "v", ("x",)) == {}
    flink.answers["/taskmanagers/metrics?get=x&taskmanagers=v,w&agg=max"] = [{"id": "x", "max": 3.0}]
    assert client(flink).worker_metrics({"w", "v"}, ("x",)) == {"x": 3.0}
    assert client(flink).worker_metrics(set(), ("x",)) == {}, "of no TaskManager none is asked"
    flink.answers["/jobs/a/exceptions"] = {
        "exceptionHistory": {
            "entries": [
                {"stacktrace": "new", "taskManagerId": "w", "timestamp": 7},
                {"stacktrace": "old", "timestamp": 6},
            ]
        }
    }
    assert client(flink).newest_failure("a") == Failure("new", "w", 7)
    flink.answers["/jobs/a/exceptions"] = {
        "exceptionHistory": {"entries": [{"stacktrace": "of no task", "timestamp": 8}]}
    }
    assert client(flink).newest_failure("a") == Failure("of no task", "", 8)


def test_the_innermost_cause_of_a_stack_trace_is_one_line() -> None:
    trace = "Traceback\nCaused by: org.A: outer\n\tat x\n  Caused by: pemja.core.PythonException: Broken: the reason\n\tat y\n"
    assert innermost_cause(trace) == "pemja.core.PythonException: Broken: the reason"
    assert innermost_cause("nothing of the kind") == ""


def test_a_stop_names_the_folder_and_does_not_drain(flink: Flink) -> None:
    flink.answers["/jobs/a/stop"] = {"request-id": "r"}
    assert client(flink).stop_with_savepoint("a", "file:/x") == "r"
    assert flink.asked == [("POST", "/jobs/a/stop", {"targetDirectory": "file:/x", "drain": False})]


def test_no_answer_and_errors_are_told(flink: Flink) -> None:
    with pytest.raises(Unavailable, match="/jobs/overview answered 404"):
        client(flink).jobs()
    with pytest.raises(Unavailable, match="refused"):
        FlinkClient(f"http://127.0.0.1:{free_ports(1)[0]}").jobs()


def test_all_questions_together_end_in_time(flink: Flink) -> None:
    flink.answers["/jobs/overview"] = {"jobs": []}
    flink.pause = 1.0
    asked = client(flink)
    asked.limit_time(4.0)
    asked.jobs()
    with pytest.raises(Unavailable, match="timed out"):
        [asked.jobs() for _ in range(4)]


def test_of_several_job_managers_one_that_answers_is_asked(flink: Flink) -> None:
    flink.answers["/jobs/overview"] = {"jobs": [job("a", "RUNNING", 1)]}
    flink.answers["/jobs/a"] = {}
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    both = FlinkClient(f"{dead},{flink.address}")
    assert both.live_job() == "a"
    both.cancel("a")
    assert [path for _, path, _ in flink.asked] == ["/jobs/overview", "/jobs/a"]
    with pytest.raises(Unavailable):
        FlinkClient(f"{dead},{dead}").jobs()


def test_a_job_manager_that_is_silent_leaves_time_for_the_next(flink: Flink) -> None:
    flink.answers["/jobs/overview"] = {"jobs": [job("a", "RUNNING", 1)]}
    flink.pause = 0.2  # of the second that is its share
    with silent_listener() as first, silent_listener() as second:
        all_three = FlinkClient(f"{address_of(first)},{address_of(second)},{flink.address}")
        for _ in range(2):
            all_three.limit_time(3.0)
            assert all_three.live_job() == "a"
        assert connections_to(first) == connections_to(second) == 1, "who answered last is asked first"


def test_where_all_job_managers_are_silent_it_is_told_in_time() -> None:
    with silent_listener() as first, silent_listener() as second:
        both = FlinkClient(f"{address_of(first)},{address_of(second)}")
        both.limit_time(0.6)
        began = time.monotonic()
        with pytest.raises(Unavailable, match="timed out"):
            both.jobs()
        assert time.monotonic() - began < TIMEOUT
        assert connections_to(first) == connections_to(second) == 1


def test_a_savepoint_and_the_end_of_a_job_are_asked_of_who_answered_last(flink: Flink) -> None:
    flink.answers["/jobs/overview"] = {"jobs": [job("a", "RUNNING", 1)]}
    flink.answers["/jobs/a/stop"] = {"request-id": "r"}
    flink.answers["/jobs/a"] = {}
    with silent_listener() as silent:
        both = FlinkClient(f"{address_of(silent)},{flink.address}")
        assert both.live_job() == "a"
        assert both.stop_with_savepoint("a", "file:///there") == "r"
        both.cancel("a")
        assert connections_to(silent) == 1
    assert [method for method, _, _ in flink.asked] == ["GET", "POST", "PATCH"]


def test_what_is_to_be_done_once_is_asked_of_one_job_manager(flink: Flink) -> None:
    flink.answers["/jobs/a/stop"] = {"request-id": "r"}
    both = FlinkClient(f"http://127.0.0.1:{free_ports(1)[0]},{flink.address}")
    with pytest.raises(Unavailable):
        both.stop_with_savepoint("a", "file:///there")
    assert flink.asked == []
    assert both.stop_with_savepoint("a", "file:///there") == "r"
