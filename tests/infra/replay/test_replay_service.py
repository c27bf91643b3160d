"""Replays that the pages ask for, by a real supervisor; what is sent stands in for by a process that sleeps or fails."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from infra.home.paths import Home, write_json
from infra.replay.replay_service import NAME, Replays
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from online.monitoring.replay_control import (
    REQUEST_FILE,
    STATE,
    ReplayRequest,
    ReplayState,
    read_request,
    read_state,
    write_file,
)
from tests.home import until


class Tried(Replays):
    """Runs `code` instead of a replay."""

    program = sys.executable
    code = "import time; time.sleep(60)"

    def _service(self, speed: float | str) -> Service:
        return Service(NAME, (self.program, "-c", self.code, str(speed)), lambda: None, lasts=False, grace=3)


@pytest.fixture
def supervisor(home: Home) -> Iterator[Supervisor]:
    supervisor = Supervisor(home)
    supervisor.start_monitor()
    yield supervisor
    supervisor.stop_all()


def request(home: Home, **fields: Any) -> None:
    write_file(home.run / REQUEST_FILE, ReplayRequest(**fields))


def state(home: Home) -> ReplayState:
    found = read_state(home.run)
    assert found is not None
    return found


def test_a_wish_whose_start_fails_is_carried_out_by_the_next_poll(home: Home, supervisor: Supervisor) -> None:
    replays = Tried(home, supervisor)
    replays.program = str(home.path / "none")
    request(home, speed=100.0, id="a")
    with pytest.raises(OSError, match="none"):
        replays.poll()
    replays.program = sys.executable
    replays.poll()
    assert (state(home).id, state(home).running) == ("a", True)


def test_a_wish_starts_another_hastens_and_none_stops(home: Home, supervisor: Supervisor) -> None:
    replays = Tried(home, supervisor)
    replays.poll()
    assert state(home) == ReplayState()
    request(home, speed=100.0, id="a")
    replays.poll()
    first = supervisor.child_id(NAME)
    assert (state(home).id, state(home).running, state(home).speed) == ("a", True, 100.0)
    replays.poll()
    assert supervisor.child_id(NAME) == first  # the same wish is carried out once
    request(home, speed="max", id="b")
    replays.poll()
    assert supervisor.child_id(NAME) != first
    assert first.process() is None
    assert (state(home).id, state(home).speed) == ("b", "max")
    second = supervisor.child_id(NAME)
    request(home, speed=None, id="c")
    replays.poll()
    assert second.process() is None
    assert (state(home).id, state(home).running) == ("c", False)


def test_how_far_it_got_and_why_it_failed_are_told_and_it_is_not_started_again(
    home: Home, supervisor: Supervisor
) -> None:
    write_json(home.data / "replay.json", {"dataset": "d", "first": 80, "last": 100, "row": 90})
    replays = Tried(home, supervisor)
    replays.code = "print('martlet: no broker'); raise SystemExit(1)"
    request(home, speed=1.0, id="a")
    replays.poll()
    until(lambda: not supervisor.runs(NAME), 20, "its end")
    replays.poll()
    failed = state(home)
    assert (failed.first, failed.row, failed.last, failed.error) == (80, 90, 100, "martlet: no broker")
    assert not failed.running


def test_a_wish_of_an_earlier_up_and_one_that_is_none_start_nothing(home: Home, supervisor: Supervisor) -> None:
    request(home, speed=5.0, id="old")
    write_file(home.run / STATE, ReplayState("old", True))
    replays = Tried(home, supervisor)
    replays.poll()
    assert not supervisor.runs(NAME)
    assert state(home) == ReplayState()
    for text in ('{"speed": -1}', '{"speed": "fast"}', "{", "[]"):
        (home.run / REQUEST_FILE).write_text(text)
        assert read_request(home.run) is None
        replays.poll()
    assert not supervisor.runs(NAME)
