"""The first `up` of a newcomer: from nothing to lists by trained models, in one command. Other homes start from a seed."""

import json
from pathlib import Path

import pytest

from tests.home import running, until
from tests.ledger import verify
from tests.seed import HISTORY, seed

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800), pytest.mark.home]


def digests(home: Path) -> dict[str, str]:
    """Of the files of a home's first base."""
    found: dict[str, str] = json.loads((home / "base" / "1" / "manifest.json").read_text())["sha256"]
    assert found
    return found


def test_the_first_up_makes_all_that_a_home_needs(tmp_path: Path, seeds: Path) -> None:
    with running(tmp_path / "home") as home:
        until(lambda: not home.recommend(6)["degraded"], 300, "a list by the default model")
        models = {model["name"]: model["metrics"] for model in home.http.get("/v1/models").json()["models"]}
        assert set(models) == {"fusion", "neuralcf", "widedeep"}
        assert models["fusion"]["ndcg10"] > 0.18, "what is served was trained with full effort"
        verify(home)
        # What is made now is what the seed holds: the other tests have started from the same.
        assert digests(home.home) == digests(seed(HISTORY, seeds))
