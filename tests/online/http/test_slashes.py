"""Ids with slashes in paths, by the real application."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from online.support import metrics
from tests.online.in_process import api


@pytest.mark.parametrize("item_id", ["a%2Fb", "a%2fb", "50%25", "%252F"])
def test_an_encoded_slash_is_part_of_an_id_and_its_route_is_counted(tmp_path: Path, item_id: str) -> None:
    def counted() -> float:
        labels = {"route": "/v1/items/{item_id}", "status": "200"}
        return metrics.REGISTRY.get_sample_value("martlet_requests_total", labels) or 0.0

    client, before = TestClient(api(tmp_path), base_url="http://127.0.0.1:8000"), counted()
    assert client.put(f"/v1/items/{item_id}", json={"title": "x"}).status_code == 200
    assert client.get(f"/v1/items/{item_id}").json()["title"] == "x"
    assert counted() == before + 2


def test_an_id_that_no_path_can_name_is_refused_where_it_comes(tmp_path: Path) -> None:
    client = TestClient(api(tmp_path), base_url="http://127.0.0.1:8000")
    for event in ({"user_id": ".", "item_id": 1}, {"user_id": 7, "item_id": ".."}):
        answer = client.post("/v1/events", json={"type": "like", **event})
        assert answer.status_code == 422
        assert "another id than . and .." in answer.json()["detail"]
    lines = client.post("/v1/items", json=[{"item_id": each, "title": "x"} for each in (".", "..", "...")]).json()[
        "lines"
    ]
    assert [each.get("error", {}).get("field") for each in lines] == ["item_id", "item_id", None]
