"""A new version takes over while requests come in, and a rollback brings the one before back: every request gets its list."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.home import Martlet, until
from tests.services import api_with

pytestmark = pytest.mark.home


DEADLINE_MS = 2000
"""Of a list: the gate's own TensorFlow, and other tests, may take both cores of a small machine for a moment."""


@pytest.fixture(scope="module")
def patient(martlet: Martlet) -> Iterator[Martlet]:
    with api_with(martlet, deadline_ms=DEADLINE_MS):
        yield martlet


@pytest.mark.soak
def test_a_new_version_and_its_rollback_fail_no_request(patient: Martlet) -> None:
    martlet = patient
    first = martlet.recommend(6, model="neuralcf")["model_version"]
    done, answers, failures, degraded = threading.Event(), [0], list[str](), [0]

    def keep_asking() -> None:
        while not done.wait(0.05):  # a caller without a pause would take a core from the gate
            answers[0] += 1
            try:
                answer = martlet.http.get("/v1/recommendations", params={"user_id": 6, "model": "neuralcf"})
            except httpx.HTTPError as error:
                failures.append(repr(error))
                continue
            if answer.status_code != 200 or len(answer.json()["items"]) != 20:
                failures.append(answer.text)
            elif "no model" in answer.json()["degraded"]:
                degraded[0] += 1

    def ranked_by(version: int) -> bool:
        """Ten lists in a row, with all that belongs to one."""
        lists = [martlet.recommend(6, model="neuralcf") for _ in range(10)]
        return all(each["model_version"] == version and "no model" not in each["degraded"] for each in lists)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        published = martlet.command(
            "publish", str(martlet.home / "models" / "neuralcf" / str(first)), "--model", "neuralcf"
        )
        assert published.returncode == 0, published.stderr
        until(lambda: ranked_by(first + 1), 60, "the new version ranks")
        asked, lacking = answers[0], degraded[0]
        back = martlet.command("rollback", "--model", "neuralcf")
        assert back.returncode == 0, back.stderr
        until(lambda: ranked_by(first), 60, "the old version is back")
    finally:
        done.set()
        asking.join(30)
    assert failures == []
    assert answers[0] > 50
    # No gate runs beside a rollback, so that costs no list its model, but for the machine's own moods.
    assert degraded[0] - lacking <= max(2, 0.05 * (answers[0] - asked)), "the rollback has cost lists their model"
