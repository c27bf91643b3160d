"""A home that is made with several servers of each engine: any one process may die, and it comes up again as it was."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.faults.losses import processes
from benchmarks.harness.homes import Running
from infra.home.paths import Home
from tests.home import Martlet, run_martlet, running, until
from tests.ledger import ledger, verify
from tests.patience import patience
from tests.seed import HISTORY, seed

pytestmark = [pytest.mark.broken, pytest.mark.soak, pytest.mark.timeout(patience(1800))]

USER = 970_001
"""The first of users whom nobody knows."""


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory, seeds: Path) -> Iterator[Martlet]:
    with running(tmp_path_factory.mktemp("scaled"), "--scale", seed=seed(HISTORY, seeds)) as home:
        yield home


def rate(scaled: Martlet, user_id: int) -> str:
    """Rate a film, again and again until it is acknowledged; returns the token."""
    event = {"event_id": f"of-{user_id}", "type": "rating", "user_id": user_id, "item_id": 50, "rating": 5}

    def acknowledged() -> str | None:
        try:
            answer = scaled.post(event)
        except httpx.TransportError:  # of a connection to a process that has died; the next one is another's
            return None
        return str(answer.json()["seen"]) if answer.status_code == 202 else None

    token: str = until(acknowledged, 60, "the event is acknowledged")
    return token


def test_any_one_process_may_die(scaled: Martlet) -> None:
    scaled.applied(USER, rate(scaled, USER))
    scaled.whole(USER)
    lost = list(dict.fromkeys(processes(Running(Home(scaled.home)))))
    kinds = [kind for kind, _ in lost]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "a broker": 3,
        "a Redis primary": 3,
        "an API process": 2,
        "a TaskManager": 4,
        "a JobManager": 2,
    }
    for number, (kind, name) in enumerate(lost, start=1):
        victim = scaled.status()["services"][name]["pid"]
        os.kill(victim, signal.SIGKILL)
        token = rate(scaled, USER + number)
        scaled.applied(USER + number, token, within=120)
        until(lambda: scaled.status()["services"][name]["pid"] != victim, 120, f"{name}, {kind}, is started again")  # noqa: B023
        until(lambda: all(each["running"] for each in scaled.status()["services"].values()), 120, "all run")
    assert ledger(scaled, within=300)["applied"] == 1 + len(lost)
    assert verify(scaled, wait=300)["applied"] == 1 + len(lost)


def test_it_is_the_same_home_after_a_restart(scaled: Martlet) -> None:
    before = ledger(scaled)
    assert scaled.command("down", within=300).returncode == 0
    port = scaled.address.rpartition(":")[2]
    up = run_martlet("up", "--detach", "--home", str(scaled.home), "--port", port, within=600)
    assert up.returncode == 0, up.stdout + up.stderr
    assert len(scaled.kafka.servers) == 3
    assert ledger(scaled, within=120) == before
    assert 50 not in [item["item_id"] for item in scaled.recommend(USER)["items"]]
