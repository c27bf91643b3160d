"""Servers that are to answer once their start has ended."""

import sys

import pytest

from features.errors import Unavailable
from infra.home.paths import Home
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from infra.started_servers import StartedServers

ADDRESS = "http://127.0.0.1:8501"
LOGS = {ADDRESS: "logs/model-server.log"}
SLEEPS = (sys.executable, "-c", "import time; time.sleep(60)")


def test_one_that_is_ready_is_to_answer_from_then_on(home: Home, supervisor: Supervisor) -> None:
    servers = StartedServers(home)

    def ready() -> None:
        assert not servers.logs

    servers.start(supervisor, {ADDRESS: Service("model-server", SLEEPS, ready)})
    assert servers.logs == LOGS
    assert servers.addresses == [ADDRESS]


def test_one_that_is_late_is_to_answer_though_its_start_has_failed(home: Home, supervisor: Supervisor) -> None:
    def ready() -> None:
        raise Unavailable("no model is loaded yet")

    servers = StartedServers(home)
    with pytest.raises(Unavailable, match="no model is loaded yet"):
        servers.start(supervisor, {ADDRESS: Service("model-server", SLEEPS, ready, ready_timeout=0.0)})
    assert supervisor.runs("model-server")
    assert servers.logs == LOGS
