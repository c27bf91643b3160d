"""Users' attributes over HTTP, by the real application over a small base, whose log keeps what is written."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from features.contracts.events import MAX_PROFILE, read_event, write_event
from features.types import PROFILE, Event
from tests.online.in_process import NOW, api
from tests.schemas import MOVIES, peopled

PEOPLED = peopled("movies")
PLAN = {"attributes": {"interests": ["tea", "rain"], "plan": "paid"}}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return api(tmp_path, PEOPLED)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Unstarted: nothing is connected."""
    return TestClient(app, base_url="http://127.0.0.1:8000")


def written(app: FastAPI) -> list[Event]:
    events: list[Event] = app.state.server.event_log.events
    return events


def test_attributes_are_an_event_in_their_users_place(app: FastAPI, client: TestClient) -> None:
    answer = client.put("/v1/users/7", json=PLAN)
    assert answer.status_code == 202
    (event,) = written(app)
    assert (event.kind, event.user_id, event.ts) == (PROFILE, 7, NOW)
    assert json.loads(write_event(event, PEOPLED)) == {
        "event_id": event.event_id,
        "type": "profile",
        "user_id": 7,
        "ts": NOW,
        "attributes": PLAN["attributes"],
    }
    assert read_event(write_event(event, PEOPLED), PEOPLED) == event
    same = client.post("/v1/events", json={"type": "profile", "user_id": 7, "event_id": event.event_id, **PLAN})
    assert same.json() == answer.json() == {"accepted": 1, "event_ids": [event.event_id], "seen": same.json()["seen"]}
    assert written(app) == [event, event]


def test_the_callers_id_and_time_stand(app: FastAPI, client: TestClient) -> None:
    assert client.put("/v1/users/Zo%C3%AB", json={"attributes": {}, "event_id": "once", "ts": 5}).status_code == 202
    assert written(app) == [Event("once", PROFILE, PEOPLED.ids.inside("Zoë"), -1, 0, "", 5, user="Zoë")]


@pytest.mark.parametrize(
    ("body", "field", "expected", "received"),
    [
        ({}, "attributes", "a value", "nothing"),
        ({"attributes": 3}, "attributes", "an object", "3"),
        ({"attributes": {"plan": 3}}, "attributes.plan", "a string of 1 to 128 printable characters", "3"),
        (
            {"attributes": {"about": "x" * MAX_PROFILE}},
            "attributes",
            f"at most {MAX_PROFILE} bytes as JSON",
            "8204 bytes",
        ),
        (
            {"attributes": {"age": 3}},
            "attributes.age",
            PEOPLED.users.expected_names(),
            "an attribute that the schema does not have",
        ),
        ({"attributes": {}, "ts": -1}, "ts", "`int` >= 0", "a value outside of that"),
        ({"attributes": {}, "colour": 1}, "body", "a JSON object", "Object contains unknown field `colour`"),
        ([], "body", "`object`", "`array`"),
    ],
)
def test_what_is_wrong_is_refused_by_field_and_nothing_is_written(
    app: FastAPI, client: TestClient, body: Any, field: str, expected: str, received: str
) -> None:
    answer = client.put("/v1/users/7", json=body)
    assert (answer.status_code, written(app)) == (422, [])
    assert answer.json()["errors"] == [{"field": field, "expected": expected, "received": received}]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 2_000, b'{"attributes": ' + b"[" * 2_000])
def test_a_body_that_is_no_json_is_refused(client: TestClient, body: bytes) -> None:
    assert client.put("/v1/users/7", content=body).status_code == 422


def test_what_is_ahead_of_the_clock_and_what_is_no_id_is_refused(client: TestClient) -> None:
    assert (
        "ts: expected at most 60 s after wall time" in client.put("/v1/users/7", json={**PLAN, "ts": NOW + 10**9}).text
    )
    assert client.put("/v1/users/%00", json=PLAN).status_code == 422


def test_where_users_have_no_attributes_none_are_taken(tmp_path: Path) -> None:
    client = TestClient(api(tmp_path, MOVIES), base_url="http://127.0.0.1:8000")
    answer = client.put("/v1/users/7", json={"attributes": {}})
    assert (answer.status_code, "the schema of this home has no [users]" in answer.text) == (422, True)
    assert client.get("/v1/users/7").json()["attributes"] == {}


def test_a_user_is_shown_with_attributes(client: TestClient) -> None:
    assert client.get("/v1/users/8").json()["attributes"] == {"plan": "paid"}
    assert client.get("/v1/users/7").json()["attributes"] == {}
    said = client.get("/v1/schema").json()
    assert said["users"][1] == {"name": "interests", "type": "facet", "many": True}
    assert [each["name"] for each in said["context"]] == ["device", "hour", "logged_in"]


@pytest.mark.parametrize("guest", ["guest-8f3a", "0", "Zoë 商", "a/b"])
def test_a_guest_is_any_id(app: FastAPI, client: TestClient, guest: str) -> None:
    """Nobody has to be told of a user: a list, an act and attributes are an id's from the first call."""
    answer = client.get("/v1/recommendations", params={"user_id": guest})
    assert (answer.status_code, len(answer.json()["items"])) == (200, 20)
    event = {"type": "like", "user_id": guest, "item_id": 2, "request_id": answer.json()["request_id"], "position": 0}
    assert client.post("/v1/events", json=event).status_code == 202
    path = guest.replace("/", "%2F")
    assert client.put(f"/v1/users/{path}", json=PLAN).status_code == 202
    assert client.get(f"/v1/users/{path}").json()["known"] is False
    assert {str(each.outer_user) for each in written(app)} == {guest}
