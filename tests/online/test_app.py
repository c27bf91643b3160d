"""The application's responses outside /v1."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from features.base.embedding_files import ALS
from features.version import VERSION
from online.app import build_server
from online.http.problems import Problem
from online.support import metrics
from tests.online.conftest import api_settings, write_base
from tests.online.counts import count_of
from tests.online.in_process import api
from tests.online.synthetic_vectors import drawn, write_embeddings


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(api(tmp_path), base_url="http://127.0.0.1:8000")


def test_health_tells_the_version(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive", "version": VERSION}
    assert client.get("/openapi.json").json()["info"]["version"] == VERSION


def test_readiness_names_what_is_missing(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "dependencies": {"redis": False, "kafka": True, "models": True, "items": False},
        "models": ["widedeep/3"],
        "labelled": [],
    }


def test_items_are_ready_once_features_and_catalogue_are_followed(client: TestClient) -> None:
    server: Any = client.app.state.server  # type: ignore[attr-defined]
    for features, catalogue in [(True, True), (True, False), (False, True)]:
        server.follower.fresh, server.item_topic.current = features, catalogue
        told = [client.get("/readyz").json()["dependencies"], client.get("/v1/ops").json()["ready"]]
        assert [each["items"] for each in told] == [features and catalogue] * 2


def test_docs_need_nothing_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert 'src="/docs.js"' in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert client.get("/docs.js").status_code == 200


def test_images_come_from_hosts_in_the_access_file_alone(tmp_path: Path) -> None:
    access = tmp_path / "access.json"
    access.write_text('{"image_hosts": ["img.example", "*.cdn.example:8443"]}')
    client = TestClient(api(tmp_path, access=str(access)), base_url="http://127.0.0.1:8000")
    assert "img-src 'self' data: img.example *.cdn.example:8443;" in client.get("/").headers["content-security-policy"]
    assert client.get("/v1/schema").json()["image_hosts"] == ["img.example", "*.cdn.example:8443"]
    without = TestClient(api(tmp_path / "without"), base_url="http://127.0.0.1:8000")
    assert "img-src 'self' data:;" in without.get("/").headers["content-security-policy"]


def test_serving_json_says_where_models_rank_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "serving.json"
    write_base(tmp_path / "base" / "1")
    server = build_server(api_settings(tmp_path, serving=str(path)))
    found = []
    for content in ('{"ranking": "in-process"}', '{"ranking": "elsewhere"}', '{"ranking": "model-server"}'):
        path.write_text(content)
        server.serving.refresh()
        found.append((server.models.in_process(), server.serving.error))
    wrong = f"{path}: ranking: expected model-server or in-process, got 'elsewhere'"
    assert found == [(True, None), (True, wrong), (False, None)]


def test_vectors_are_shared_in_the_folder_of_the_settings(tmp_path: Path) -> None:
    write_base(tmp_path / "base" / "1")
    write_embeddings(tmp_path / "embeddings" / "1", np.arange(1, 41), drawn(40), (ALS,))
    for vectors in (None, str(tmp_path / "vectors")):
        settings = api_settings(tmp_path, embeddings=str(tmp_path / "embeddings"), vectors=vectors)
        server = build_server(settings)
        asyncio.run(server.vectors.refresh())
        assert server.vectors.kinds() == [ALS]
        assert (tmp_path / "vectors").exists() == (vectors is not None)


def test_optional_fields_are_left_out_and_nulls_stay(client: TestClient) -> None:
    body = client.get("/v1/recommendations?user_id=99&size=2").json()
    assert list(body) == ["request_id", "user_id", "model", "model_version", "at", "items", "freshness", "degraded"]
    assert list(body["items"][0]) == ["item_id", "title", "genres", "year", "score", "channels"]
    assert body["freshness"] == {"last_event_ts": None, "applied_in_ms": None, "seen_applied": None}
    ranked = client.post("/v1/rank", json={"user_id": 7, "item_ids": [1, 777], "explain": True}).json()
    assert list(ranked)[-2:] == ["explain", "unknown"]
    assert ranked["unknown"] == [777]


class Buggy:
    """Fails with what nobody expects, in the midst of a response where one has begun."""

    def all(self) -> Any:
        raise KeyError("a bug")


def test_a_bug_is_counted_and_answered_like_any_other_error(client: TestClient) -> None:
    server: Any = client.app.state.server  # type: ignore[attr-defined]
    client.app.state.server = replace(server, models=Buggy())  # type: ignore[attr-defined]
    counted = metrics.REQUESTS.labels("/v1/models", "500")
    before = count_of(counted)
    answer = client.get("/v1/models")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "a bug" not in answer.text
    assert count_of(counted) == before + 1


def test_ids_of_any_length_are_told_what_is_expected(client: TestClient) -> None:
    for query in (f"user_id=6&exclude={'9' * 5_000}", f"user_id=6&exclude=1,{'9' * 5_000},2", f"user_id={'9' * 5_000}"):
        answer = client.get(f"/v1/recommendations?{query}")
        assert answer.status_code == 422
        assert answer.json()["title"] == "Invalid input"


def test_the_first_failed_list_of_many_ends_its_siblings(client: TestClient) -> None:
    server: Any = client.app.state.server  # type: ignore[attr-defined]
    ended: list[int] = []

    class Slow:
        """Fails for user 1, and takes long for all others."""

        async def recommend(self, request: Any, waited: float) -> Any:
            if request.user_id == 1:
                await asyncio.sleep(0.02)
                raise Problem(503, "no slot")
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(request.user_id)

    client.app.state.server = replace(server, recommender=Slow())  # type: ignore[attr-defined]
    answer = client.post("/v1/recommendations", json={"user_ids": [2, 1]})
    assert (answer.status_code, answer.json()["detail"]) == (503, "no slot")
    assert ended == [2]
