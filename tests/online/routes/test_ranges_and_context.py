"""Lists by ranges of numbers, and what requests say of their circumstances: over HTTP, by the real application."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from msgspec import UNSET

from features.contracts.shown_lists import read_shown, write_shown
from online.recommend.impression import impression_of
from tests.online.in_process import api
from tests.schemas import MOVIES, peopled

LIST = "/v1/recommendations"


class KeptLists:
    """Keeps the records of the lists that were shown."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def put(self, answer: Any) -> None:
        self.records.append(write_shown(impression_of(answer)))


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return api(tmp_path, peopled("movies"))


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Unstarted: nothing is connected."""
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    for number, year in ((501, 1995), (502, 2005), (503, 2015), (504, None)):
        assert client.put(f"/v1/items/{number}", json={"title": f"New {number}", "year": year}).status_code == 200
    return client


@pytest.fixture
def shown(app: FastAPI) -> KeptLists:
    kept = KeptLists()
    app.state.server = replace(app.state.server, impression_log=kept)
    return kept


def put_years(client: TestClient) -> dict[int, int | None]:
    return {each["item_id"]: each["year"] for each in client.get("/v1/items?limit=100").json()["items"]}


@pytest.mark.parametrize(
    ("ranges", "low", "high"),
    [
        (["year:1990..2009"], 1990, 2009),
        (["year:2005.."], 2005, 9999),
        (["year:..2005"], -1, 2005),
        (["year:2005..2005"], 2005, 2005),
        (["year:1.9e3..2010", "year:2000.5.."], 2001, 2010),
        (["year:2010..2000"], 1, 0),
    ],
)
def test_a_list_keeps_what_lies_in_the_range(client: TestClient, ranges: list[str], low: int, high: int) -> None:
    years = put_years(client)
    expected = {item_id for item_id, year in years.items() if year is not None and low <= year <= high}
    got = client.get(LIST, params={"user_id": 99, "size": 100, "range": ranges})
    assert {each["item_id"] for each in got.json()["items"]} == expected
    posted = client.post(LIST, json={"user_ids": [99], "size": 100, "range": ranges})
    assert {each["item_id"] for each in posted.json()["lists"][0]["items"]} == expected
    page = client.get("/v1/items", params={"limit": 100, "range": ranges})
    assert {each["item_id"] for each in page.json()["items"]} == expected


def test_a_changed_item_is_in_other_ranges_at_once(client: TestClient) -> None:
    def found(text: str) -> set[int]:
        got = client.get(LIST, params={"user_id": 99, "size": 100, "range": text})
        return {each["item_id"] for each in got.json()["items"]}

    assert 502 in found("year:2005..2005")
    client.patch("/v1/items/502", json={"year": 2100})
    assert 502 not in found("year:2005..2005")
    assert found("year:2100..2100") == {502}
    client.patch("/v1/items/502", json={"year": None})
    assert found("year:2100..2100") == set()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("price:1..2", "range: expected one of year, got 'price'"),
        ("genres:1..2", "range: expected one of year, got 'genres'"),
        ("year", "range: expected NAME:LOW..HIGH, one of the two may be left out, got 'year'"),
        ("year:1990", "range: expected NAME:LOW..HIGH"),
        ("year:..", "range: expected NAME:LOW..HIGH"),
        ("year:a..b", "range: expected a number, got 'a'"),
        ("year:nan..", "range: expected a number, got 'nan'"),
        ("year:1990..2_000", "range: expected a number, got '2_000'"),
    ],
)
def test_another_range_is_refused(client: TestClient, text: str, told: str) -> None:
    for answer in (
        client.get(LIST, params={"user_id": 99, "range": text}),
        client.post(LIST, json={"user_ids": [99], "range": [text]}),
        client.get("/v1/items", params={"range": text}),
    ):
        assert answer.status_code == 422
        assert told in answer.json()["detail"]
    assert client.get(LIST, params={"user_id": 99, "range": ["year:1.."] * 21}).status_code == 422


def test_times_are_whole_milliseconds(tmp_path: Path) -> None:
    client = TestClient(api(tmp_path, peopled("news")), base_url="http://127.0.0.1:8000")
    for number, published in ((501, 1_000), (502, 2_000)):
        client.put(f"/v1/items/{number}", json={"title": "New", "published": published})
    got = client.get(LIST, params={"user_id": "x", "size": 100, "range": "published:..1500"})
    assert [each["item_id"] for each in got.json()["items"]] == ["501"]
    refused = client.get(LIST, params={"user_id": "x", "range": "published:1.5.."})
    assert "range: expected whole milliseconds since 1970, got '1.5'" in refused.json()["detail"]


def test_the_context_of_a_request_is_logged_with_its_list(client: TestClient, shown: KeptLists) -> None:
    query = {"user_id": 7, "context.logged_in": "true", "context.device": "phone", "context.hour": "22.5"}
    body = {"user_ids": [7], "context": {"hour": 22.5, "device": "phone", "logged_in": True}}
    assert client.get(LIST, params=query).status_code == 200
    assert client.post(LIST, json=body).status_code == 200
    assert client.get(LIST, params={"user_id": 7}).status_code == 200
    said, posted, silent = (read_shown(record).context for record in shown.records)
    assert said == posted == {"device": "phone", "hour": 22.5, "logged_in": True}
    assert silent is UNSET


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("device", "", "context.device: expected a string of 1 to 128 printable characters, got ''"),
        ("device", ["phone", "tablet"], "context.device: expected one value, got several"),
        ("hour", "noon", "context.hour: expected a number from -1e+15 to 1e+15, got 'noon'"),
        ("hour", "null", "context.hour: expected a number from -1e+15 to 1e+15, got 'null'"),
        ("logged_in", "yes", "context.logged_in: expected true or false, got 'yes'"),
        ("weather", "rain", "context.weather: expected one of device, hour, logged_in, got an attribute"),
        ("", "rain", "context.: expected one of device"),
    ],
)
def test_a_wrong_context_is_refused(client: TestClient, name: str, value: Any, told: str) -> None:
    answer = client.get(LIST, params={"user_id": 7, f"context.{name}": value})
    assert (answer.status_code, answer.json()["detail"][: len(told)]) == (422, told)


def test_in_a_body_too_and_where_the_schema_has_none(client: TestClient, tmp_path: Path) -> None:
    for wrong in ({"device": 3}, {"weather": "rain"}, 3, ["device"]):
        assert client.post(LIST, json={"user_ids": [7], "context": wrong}).status_code == 422
    plain = TestClient(api(tmp_path / "plain", MOVIES), base_url="http://127.0.0.1:8000")
    refused = plain.get(LIST, params={"user_id": 7, "context.device": "phone"})
    assert "context.device: expected no attribute: the schema has none" in refused.json()["detail"]


def test_the_context_of_an_act_is_checked_and_written(app: FastAPI, client: TestClient) -> None:
    like = {"type": "like", "user_id": 7, "item_id": 2}
    assert client.post("/v1/events", json={**like, "context": {"device": "phone"}}).status_code == 202
    assert app.state.server.event_log.events[-1].context == '{"device":"phone"}'
    refused = client.post("/v1/events", json={**like, "context": {"device": 3}})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "context.device")
