"""A query parameter that stands twice is refused, unless it takes several values."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from online.http.repeated_parameters import REPEATED
from tests.online.in_process import api


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """Unstarted: nothing is connected."""
    return TestClient(api(tmp_path), base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize(
    "call",
    [
        "/v1/recommendations?user_id=99&exclude=40&exclude=39",
        "/v1/recommendations?user_id=99&genre=War&genre=Comedy",
        "/v1/recommendations?user_id=99&user_id=98",
        "/v1/items?sort=title&sort=newest",
        "/v1/items/1/similar?size=3&size=4",
    ],
)
def test_what_takes_one_value_is_given_once(client: TestClient, call: str) -> None:
    name = call.rpartition("&")[2].partition("=")[0]
    answer = client.get(call)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{name}: expected one value, got several")


def test_what_takes_several_may_be_given_again(client: TestClient) -> None:
    both = client.get("/v1/items?facet=genres:War&facet=genres:Drama&range=year:1980..&range=year:..2000&limit=100")
    assert both.status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    parameters = [each for path in paths.values() for call in path.values() for each in call.get("parameters", [])]
    assert {each["name"] for each in parameters if each["in"] == "query" and "array" in str(each["schema"])} == REPEATED


def test_blanks_beside_commas_are_no_part_of_what_is_excluded(client: TestClient) -> None:
    def shown(exclude: str) -> set[int]:
        answer = client.get("/v1/recommendations", params={"user_id": 99, "size": 100, "exclude": exclude})
        return {each["item_id"] for each in answer.json()["items"]}

    assert {39, 40} <= shown("38")
    assert not {39, 40} & shown("40, 39")
