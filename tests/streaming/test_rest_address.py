"""To which of several JobManagers a job is submitted."""

import threading
import time

import pytest

from infra.system.processes import free_ports
from streaming.rest_address import answering
from tests.flink_stub import flink_stub
from tests.strange_listeners import mail_server


def test_a_job_goes_to_a_job_manager_that_answers() -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    with flink_stub() as without_leader, flink_stub() as flink:
        flink.answers["/overview"] = {}
        assert answering([dead, without_leader.address, flink.address]) == flink.address
        assert answering([flink.address, dead]) == flink.address
        assert [path for _, path, _ in without_leader.asked] == ["/overview"]


def test_who_speaks_another_protocol_is_passed_over() -> None:
    with mail_server() as other, flink_stub() as flink:
        flink.answers["/overview"] = {}
        assert answering([other, flink.address]) == flink.address


def test_a_single_one_is_taken_as_it_is() -> None:
    with flink_stub() as flink:
        assert answering([flink.address]) == flink.address
        assert not flink.asked


def test_an_election_is_waited_for() -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    with flink_stub() as flink:
        elected = threading.Timer(0.3, flink.answers.update, [{"/overview": {}}])
        elected.start()
        assert answering([dead, flink.address]) == flink.address
        elected.join()


@pytest.mark.parametrize("timeout", [0.0, 0.6])
def test_where_none_answers_it_is_the_first_in_time(timeout: float) -> None:
    first, second = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    began = time.monotonic()
    assert answering([first, second], timeout) == first
    assert time.monotonic() - began < timeout + 5
