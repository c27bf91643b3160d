"""A home with as many partitions as it was made with: several tasks fold them, and it stays exact where one of them dies."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from features.keys import EVENTS, SERVED
from tests.home import Martlet, running, until
from tests.ledger import ends_of, ledger, verify
from tests.patience import patience

pytestmark = [pytest.mark.broken, pytest.mark.timeout(patience(1800)), pytest.mark.soak]

NUMBER = 64
TASKS = 4 if settings().max_examples >= 1000 else 2
"""Four where time is taken: each is two TaskManagers, and a spare one."""


@pytest.fixture(scope="module")
def divided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Martlet]:
    """A home of 64 partitions, without history, whose job has TASKS degrees."""
    options = ("--history", "0", "--partitions", str(NUMBER), "--parallelism", str(TASKS))
    with running(tmp_path_factory.mktemp("divided"), *options, whole=False) as home:
        yield home


def test_sixty_four_lanes_over_several_tasks_are_exact_where_a_taskmanager_dies(divided: Martlet) -> None:
    assert {topic: len(ends) for topic, ends in ends_of(divided).items()} == {EVENTS: NUMBER, SERVED: NUMBER}
    done = divided.command("replay", "--speed", "max", "--to", "1997-10-10")
    assert done.returncode == 0, done.stderr
    rating = {"type": "rating", "user_id": 6, "item_id": 50, "rating": 5}
    listed = divided.applied(6, divided.post(rating).json()["seen"], within=60)
    assert 50 not in [item["item_id"] for item in listed["items"]]
    victim = divided.status()["services"]["taskmanager-1"]["pid"]
    os.kill(victim, signal.SIGKILL)
    done = divided.command("replay", "--speed", "max", "--to", "1997-10-20")
    assert done.returncode == 0, done.stderr
    until(lambda: divided.status()["services"]["taskmanager-1"]["pid"] != victim, 60, "the TaskManager starts again")
    counted, events = ledger(divided, within=300), ends_of(divided)[EVENTS]
    assert counted["read"] == sum(events.values())
    assert sum(end > 0 for end in events.values()) > NUMBER // 2
    verified = verify(divided, wait=300)
    assert {name: verified[name] for name in counted} == counted


def test_the_number_is_the_homes_for_good(divided: Martlet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f'"partitions": {NUMBER}' in (divided.home / "home.json").read_text()
    monkeypatch.setenv("MARTLET_KAFKA_PARTITIONS", "8")
    assert "partitions = 8" in divided.command("config").stdout
    refused = divided.command("features")
    assert refused.returncode == 1
    assert f"kafka.partitions: expected {NUMBER}, which" in refused.stderr
