"""A new version takes over while requests come in, and a rollback brings the one before back: nobody notices."""

import threading

from tests.e2e.conftest import Martlet, until


def test_a_new_version_and_its_rollback_fail_no_request(martlet: Martlet) -> None:
    first = martlet.recommend(6, model="neuralcf")["model_version"]
    done, answers, failures = threading.Event(), [0], []

    def keep_asking() -> None:
        published = False
        while not done.is_set():
            answer = martlet.http.get("/v1/recommendations", params={"user_id": 6, "model": "neuralcf"})
            answers[0] += 1
            # While Keras trains on both cores of a small machine an answer may be a rung down; from the publication on, none.
            published = published or (martlet.home / "models" / "neuralcf" / str(first + 1)).exists()
            if answer.status_code != 200 or (published and answer.json()["degraded"]):
                failures.append(answer.text)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        trained = martlet.command("train", "--model", "neuralcf")
        assert trained.returncode == 0, trained.stderr
        until(lambda: martlet.recommend(6, model="neuralcf")["model_version"] == first + 1, 20, "the new version ranks")
        back = martlet.command("rollback", "--model", "neuralcf")
        assert back.returncode == 0, back.stderr
        until(lambda: martlet.recommend(6, model="neuralcf")["model_version"] == first, 20, "the old version is back")
    finally:
        done.set()
        asking.join(30)
    assert answers[0] > 50
    assert failures == []
