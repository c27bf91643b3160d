"""The first `up` of a newcomer: from nothing to lists by trained models, in one command. Other homes start from a seed."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from infra.system.processes import ProcessId
from tests.home import UP_WITHIN, Martlet, running, until
from tests.ledger import verify
from tests.patience import patience
from tests.seed import HISTORY, seed

pytestmark = [pytest.mark.soak, pytest.mark.timeout(patience(2700)), pytest.mark.home]


def digests(home: Path) -> dict[str, str]:
    """Of the files of a home's first base."""
    found: dict[str, str] = json.loads((home / "base" / "1" / "manifest.json").read_text())["sha256"]
    assert found
    return found


def in_flow(home: Martlet) -> list[dict[str, Any]]:
    """What GET /v1/ops says is still being prepared."""
    flow = home.http.get("/v1/ops").json()["flow"]
    return flow["preparing"] if flow else []


def kill_in_the_middle(home: Martlet) -> None:
    """Kill -9 of the supervisor while models are prepared, and another `up`: nothing is left of the first one's work, and the
    second goes on with it."""
    until(lambda: {"spark", "training"} & set(home.status()["services"]), 120, "models are prepared")
    status = home.status()
    left = {name: ProcessId.from_json(entry) for name, entry in status["services"].items()}
    os.kill(status["supervisor"]["pid"], signal.SIGKILL)
    again = home.command("up", "--detach", "--wait", "--port", home.address.rpartition(":")[2], within=UP_WITHIN)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [name for name, each in left.items() if each.process() is not None] == []


def test_the_first_up_makes_all_that_a_home_needs(tmp_path: Path, seeds: Path) -> None:
    with running(tmp_path / "home", whole=False) as home:
        first = home.recommend(6)
        assert (first["model"], first["degraded"]) == (None, ["no model"])
        assert first["items"], "lists come before models"
        assert {"training data", "models"} & {step["name"] for step in home.status()["preparing"]}
        until(lambda: "models" in {step["name"] for step in in_flow(home)}, 30, "/v1/ops tells what is prepared")
        kill_in_the_middle(home)
        until(lambda: not home.recommend(6)["degraded"], 300, "a list by the default model")
        assert home.status()["preparing"] == []
        models = {model["name"]: model["metrics"] for model in home.http.get("/v1/models").json()["models"]}
        assert set(models) == {"fusion", "neuralcf", "widedeep"}
        assert models["fusion"]["ndcg10"] > 0.17, "what is served was trained with full effort"
        verify(home)
        # What is made now is what the seed holds: the other tests have started from the same.
        assert digests(home.home) == digests(seed(HISTORY, seeds))
