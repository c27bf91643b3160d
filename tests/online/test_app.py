"""The application's responses outside /v1."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from features.version import VERSION
from tests.online.in_process import api


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


def test_optional_fields_are_left_out_and_nulls_stay(client: TestClient) -> None:
    body = client.get("/v1/recommendations?user_id=99&size=2").json()
    assert list(body) == ["request_id", "user_id", "model", "model_version", "at", "items", "freshness", "degraded"]
    assert list(body["items"][0]) == ["item_id", "title", "genres", "year", "score", "channels"]
    assert body["freshness"] == {"last_event_ts": None, "applied_in_ms": None, "seen_applied": None}
    ranked = client.post("/v1/rank", json={"user_id": 7, "item_ids": [1, 777], "explain": True}).json()
    assert list(ranked)[-2:] == ["explain", "unknown"]
    assert ranked["unknown"] == [777]
