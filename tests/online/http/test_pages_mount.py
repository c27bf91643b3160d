"""Pages lie beside the API: a path of the API is never a file that is not there."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.online.in_process import api


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(api(tmp_path), base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_a_check_by_head_is_answered_as_by_get(client: TestClient, path: str) -> None:
    assert client.head(path).status_code == client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/events", "POST"),
        ("GET", "/v1/rank", "POST"),
        ("HEAD", "/v1/items", "GET"),
        ("PUT", "/healthz", "GET"),
    ],
)
def test_a_method_that_a_path_does_not_have_is_told_which_it_has(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, allowed in answer.headers["allow"]) == (405, True)


def test_what_is_neither_is_not_there(client: TestClient) -> None:
    for path in ("/v1/nothing", "/nothing.html"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert client.get("/user.html").status_code == client.head("/user.html").status_code == 200
    assert client.get("/").status_code == 200
