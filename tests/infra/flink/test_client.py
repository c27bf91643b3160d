"""What is asked of Flink's REST interface, and made of its answers."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from features.errors import Unavailable
from infra.flink.client import FlinkClient, all_run
from infra.system.processes import free_ports


def job(jid: str, state: str, start: int, name: str = "martlet") -> dict[str, object]:
    return {"jid": jid, "name": name, "state": state, "start-time": start}


class Flink(ThreadingHTTPServer):
    """Answers what `answers` holds for a path, notes what was asked, and is slow where `pause` says so."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, object] = {}
        self.asked: list[tuple[str, str, object]] = []
        self.pause = 0.0


class Handler(BaseHTTPRequestHandler):
    server: Flink

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None))
        time.sleep(self.server.pause)
        raw = json.dumps(self.server.answers.get(self.path)).encode()
        self.send_response(200 if self.path in self.server.answers else 404)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_PATCH = do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def flink() -> Iterator[Flink]:
    with Flink() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def client(flink: Flink, within: float | None = None) -> FlinkClient:
    return FlinkClient(f"http://127.0.0.1:{flink.server_port}", within)


def test_the_job_that_lives_goes_before_a_newer_one_that_ended(flink: Flink) -> None:
    flink.answers["/jobs/overview"] = {
        "jobs": [job("warm", "RUNNING", 9, "warm-up"), job("b", "FAILED", 5), job("a", "RESTARTING", 1)]
    }
    assert [each["jid"] for each in client(flink).jobs()] == ["b", "a"]
    assert client(flink).live_job() == client(flink).newest_job() == "a"


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
    assert client(flink).newest_failure("a") == ""
    assert client(flink).job_metrics("a", ("x", "y")) == {"x": "3"}
    assert client(flink).vertex_metrics("a", "v", ("x",)) == {}
    flink.answers["/jobs/a/exceptions"] = {
        "exceptionHistory": {"entries": [{"stacktrace": "new"}, {"stacktrace": "old"}]}
    }
    assert client(flink).newest_failure("a") == "new"


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
    flink.pause = 0.3
    asked = client(flink, within=0.5)
    asked.jobs()
    with pytest.raises(Unavailable, match="timed out"):
        asked.jobs()
