"""Requests to a running `up`: each is carried out once, and only while somebody waits for it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.home.command_channel import REBUILD, UPGRADE, drop_request, next_request, request_up, write_answer
from infra.home.home_lock import home_lock
from infra.home.paths import Home, read_json, write_json
from tests.home import until


@pytest.fixture
def home(home: Home) -> Iterator[Home]:
    """A home that this process runs."""
    with home_lock(home):
        write_json(home.status_file, {"state": "up", "services": {}})
        yield home


@pytest.mark.parametrize(("error", "expected"), [("", "done so"), ("it was refused", "it was refused")])
def test_who_requests_learns_what_was_done(home: Home, error: str, expected: str) -> None:
    taken = threading.Event()

    def serve() -> None:
        def take() -> bool:
            request = next_request(home)
            if request is not None:
                assert (request["wish"], request["parallelism"]) == (REBUILD, 3)
                write_answer(home, request, done="done so", error=error)
            return request is not None

        until(take, 20, "a request")
        taken.set()

    with ThreadPoolExecutor(1) as thread:
        served = thread.submit(serve)
        if error:
            with pytest.raises(Unavailable, match=expected):
                request_up(home, REBUILD, 20, parallelism=3)
        else:
            assert request_up(home, REBUILD, 20, parallelism=3) == expected
        served.result(20)
    assert next_request(home) is None


def test_a_request_nobody_waits_for_any_more_is_not_carried_out(home: Home) -> None:
    with pytest.raises(Unavailable, match="not done within"):
        request_up(home, REBUILD, 0.3)
    assert not (home.run / "request.json").exists()
    assert next_request(home) is None


def test_who_requests_does_not_wait_for_a_run_that_has_ended(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").make()
    write_json(home.status_file, {"state": "up", "services": {}})
    with ThreadPoolExecutor(1) as thread:
        with home_lock(home):
            waiting = thread.submit(request_up, home, REBUILD, 10)
            until((home.run / "request.json").exists, 20, "a request")
        with pytest.raises(Unavailable, match=f"nothing runs in {home.path}"):
            waiting.result(60)
    assert not (home.run / "request.json").exists()


def test_who_gives_up_leaves_the_request_of_another_alone(home: Home) -> None:
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(request_up, home, REBUILD, 3.0)
        until((home.run / "request.json").exists, 20, "a request")
        write_json(home.run / "request.json", {"id": "another", "wish": REBUILD})
        with pytest.raises(Unavailable, match="not done within"):
            waiting.result(60)
    request = read_json(home.run / "request.json")
    assert request is not None
    assert request["id"] == "another"


def test_of_two_requests_the_first_is_done_and_the_second_learns_whose_that_is(home: Home) -> None:
    refused = rf"upgrade was not begun: process {os.getpid()} has requested rebuild and waits for it"
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(request_up, home, REBUILD, 10)
        until((home.run / "request.json").exists, 20, "a request")
        with pytest.raises(Unavailable, match=refused):
            request_up(home, UPGRADE, 0.3, parallelism=2)
        request = next_request(home)
        assert request is not None
        with pytest.raises(Unavailable, match=refused):  # it is being carried out, now
            request_up(home, UPGRADE, 0.3)
        write_answer(home, request, done="done so")
        assert (request["wish"], first.result(60)) == (REBUILD, "done so")


REQUESTER = """
import sys
from pathlib import Path
from infra.home.command_channel import REBUILD, request_up
from infra.home.paths import Home
request_up(Home(Path(sys.argv[1])), REBUILD, 60)
"""


def test_whose_request_was_killed_holds_up_nobody_and_nothing_is_done_for_it(home: Home) -> None:
    requester = subprocess.Popen([sys.executable, "-c", REQUESTER, str(home.path)])
    try:
        until((home.run / "request.json").exists, 60, "a request")
    finally:
        requester.kill()
        requester.wait(20)
    stale = read_json(home.run / "request.json")
    assert next_request(home) is None
    write_json(home.run / "request.json", stale or {})
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(request_up, home, UPGRADE, 60)
        until(lambda: read_json(home.run / "request.json", sync=False) not in (None, stale), 20, "the next request")
        request = next_request(home)
        assert request is not None
        write_answer(home, request, done="done so")
        assert (request["wish"], following.result(60)) == (UPGRADE, "done so")


def test_a_request_to_a_run_that_has_ended_is_dropped(home: Home) -> None:
    write_json(home.run / "request.json", {"id": "old", "wish": REBUILD})
    drop_request(home)
    assert next_request(home) is None
    drop_request(home)  # where there is none, nothing happens
