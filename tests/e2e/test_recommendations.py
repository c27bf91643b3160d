"""GET /v1/recommendations and its neighbours: the contract of the API, on the real services."""

from typing import Any

import httpx
import pytest

from online.recall import CHANNELS
from tests.home import Martlet, until

pytestmark = pytest.mark.home


def test_a_known_user_gets_a_ranked_list_of_unseen_films(martlet: Martlet) -> None:
    answer = martlet.whole(6, model="neuralcf", size=30)
    assert answer["model"] == "neuralcf"
    assert answer["model_version"] >= 1
    assert len(answer["items"]) == 30
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert {channel for item in answer["items"] for channel in item["channels"]} <= {each.name for each in CHANNELS}
    seen = {int(item) for item in martlet.redis.smembers("{u:6}:seen")}
    assert seen
    assert not seen & {item["item_id"] for item in answer["items"]}


def test_models_rank_differently_and_the_default_is_fusion(martlet: Martlet) -> None:
    lists = {
        name: [item["item_id"] for item in martlet.whole(6, model=name)["items"]]
        for name in ("neuralcf", "widedeep", "fusion")
    }
    assert len({tuple(each) for each in lists.values()}) == 3
    assert martlet.recommend(6)["model"] == "fusion"
    models = martlet.http.get("/v1/models").json()
    assert [model["name"] for model in models["models"]] == ["fusion", "neuralcf", "widedeep"]
    assert models["refused"] == []
    assert all(model["metrics"] for model in models["models"])


def test_an_unknown_user_gets_a_newcomers_list(martlet: Martlet) -> None:
    answer = martlet.recommend(2**63 - 1)
    assert len(answer["items"]) == 20
    assert answer["freshness"] == {"last_event_ts": None, "applied_in_ms": None, "seen_applied": None}


def test_an_unknown_model_is_a_404_that_names_those_there_are(martlet: Martlet) -> None:
    answer = martlet.http.get("/v1/recommendations", params={"user_id": 6, "model": "din"})
    assert answer.status_code == 404
    assert answer.json()["models"] == ["fusion", "neuralcf", "widedeep"]
    assert "./martlet train --model din" in answer.json()["detail"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"user_id": 6, "size": 0},
        {"user_id": 6, "size": 101},
        {"user_id": 6, "size": "many"},
        {"user_id": ""},
        {"user_id": "a\nb"},
        {"user_id": "x" * 129},
        {},
        {"user_id": 6, "seen": "not a token"},
        {"user_id": 6, "exclude": "1,\t"},
        {"user_id": 6, "at": -1},
    ],
)
def test_a_bad_parameter_is_a_422_with_problem_details(martlet: Martlet, parameters: dict[str, Any]) -> None:
    answer = martlet.http.get("/v1/recommendations", params=parameters)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_genre_and_exclude_narrow_the_list(martlet: Martlet) -> None:
    answer = martlet.recommend(6, genre="Comedy", size=50)
    assert all("Comedy" in item["genres"] for item in answer["items"])
    gone = [item["item_id"] for item in answer["items"][:5]]
    narrowed = martlet.recommend(6, genre="Comedy", size=50, exclude=",".join(map(str, gone)))
    assert not set(gone) & {item["item_id"] for item in narrowed["items"]}
    assert martlet.http.get("/v1/recommendations", params={"user_id": 6, "genre": "Nonsense"}).status_code == 404


def test_users_and_items_can_be_looked_at(martlet: Martlet) -> None:
    user = martlet.user(6)
    assert user["known"]
    assert user["counts"]["rating"] > 0
    assert user["history"]
    item = martlet.http.get("/v1/items/1").json()
    assert item["title"].startswith("Toy Story")
    assert item["ratings"] > 100
    near = martlet.http.get("/v1/items/1/similar", params={"size": 5}).json()["similar"]
    assert len(near) == 5
    assert martlet.http.get("/v1/items/123456789").status_code == 404
    assert martlet.http.get("/v1/items/x").status_code == 404
    assert martlet.http.get("/v1/items/%00").status_code == 422


def test_the_articles_call_to_the_model_server_works_as_written(martlet: Martlet) -> None:
    port = martlet.status()["ports"]["model_rest"]
    instances = [{"userId": 6, "movieId": movie} for movie in (1, 2, 3)]
    answer = httpx.post(
        f"http://127.0.0.1:{port}/v1/models/recmodel:predict",
        json={"instances": instances},
        timeout=10,
        trust_env=False,
    )
    assert answer.status_code == 200
    predictions = answer.json()["predictions"]
    assert [len(row) for row in predictions] == [1, 1, 1]
    assert all(0 <= row[0] <= 1 for row in predictions)


def test_health_readiness_metrics_and_openapi(martlet: Martlet) -> None:
    assert martlet.http.get("/healthz").status_code == 200
    ready = until(lambda: (found := martlet.http.get("/readyz").json())["ready"] and found, 60, "all is ready")
    assert set(ready["dependencies"]) == {"redis", "kafka", "models", "items"}
    metrics = martlet.http.get("/metrics").text
    assert "martlet_requests_total" in metrics
    paths = martlet.http.get("/openapi.json").json()["paths"]
    assert {"/v1/events", "/v1/recommendations", "/v1/models", "/v1/users/{user_id}", "/v1/items/{item_id}"} <= set(
        paths
    )
    assert martlet.http.get("/v1/nothing").status_code == 404


def test_the_api_has_no_tensorflow_flink_or_spark_loaded(martlet: Martlet) -> None:
    pid = martlet.status()["services"]["api"]["pid"]
    with open(f"/proc/{pid}/maps") as maps:
        mapped = maps.read()
    assert "orjson" in mapped  # the check sees what is loaded at all
    for heavy in ("tensorflow", "pyflink", "pyspark"):
        assert heavy not in mapped
