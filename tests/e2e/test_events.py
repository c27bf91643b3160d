"""POST /v1/events on the real services: acknowledged, applied once, or refused whole."""

import pytest

from tests.home import Martlet, until

pytestmark = pytest.mark.home

RATING = {"type": "rating", "user_id": 900_001, "item_id": 1, "rating": 5}


def test_a_click_changes_the_next_list(martlet: Martlet, new_user: int) -> None:
    user = new_user
    before = martlet.recommend(user)
    rated = before["items"][0]["item_id"]
    answer = martlet.post({"type": "rating", "user_id": user, "item_id": rated, "rating": 5})
    assert answer.status_code == 202
    body = answer.json()
    assert body["accepted"] == 1
    after = martlet.applied(user, body["seen"])
    assert after["freshness"]["applied_in_ms"] >= 0
    assert rated not in [item["item_id"] for item in after["items"]]
    assert [item["item_id"] for item in after["items"]] != [item["item_id"] for item in before["items"]]
    assert martlet.user(user)["counts"]["rating"] == 1


def test_the_same_event_id_counts_once_however_often_it_comes(martlet: Martlet, new_user: int) -> None:
    user = new_user
    event = {"type": "like", "user_id": user, "item_id": 2, "event_id": "once-and-only-once"}
    token = ""
    for _ in range(5):
        token = martlet.post([event, event]).json()["seen"]
    martlet.applied(user, token)
    assert martlet.user(user)["counts"]["like"] == 1


def test_undo_takes_a_rating_back_and_forgetting_erases_all(martlet: Martlet, new_user: int) -> None:
    user = new_user
    first = martlet.post({"type": "rating", "user_id": user, "item_id": 1, "rating": 5}).json()["event_ids"][0]
    token = martlet.post({"type": "undo", "user_id": user, "target": first}).json()["seen"]
    martlet.applied(user, token)
    undone = martlet.user(user)
    assert (undone["counts"]["rating"], undone["counts"]["undo"], undone["seen"]) == (0, 1, 0)
    token = martlet.post([{**RATING, "user_id": user}, {"type": "forget_user", "user_id": user}]).json()["seen"]
    martlet.applied(user, token)
    forgotten = martlet.user(user)
    assert {name: count for name, count in forgotten["counts"].items() if count} == {"forget_user": 1}
    assert (forgotten["seen"], forgotten["history"]) == (0, [])


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"type": "rating", "user_id": 1, "item_id": 1}, "rating"),
        ({"type": "rating", "user_id": 1, "item_id": 1, "rating": 6}, "rating"),
        ({"type": "click", "user_id": -1, "item_id": 1}, "user_id"),
        ({"type": "click", "user_id": 2**63, "item_id": 1}, "user_id"),
        ({"type": "click", "user_id": "a\n", "item_id": 1}, "user_id"),
        ({"type": "click", "user_id": 1}, "item_id"),
        ({"type": "buy", "user_id": 1, "item_id": 1}, "type"),
        ({"type": "click", "user_id": 1, "item_id": 1, "ts": 4_000_000_000_000}, "ts"),
        ({"type": "click", "user_id": 1, "item_id": 1, "ts": 1_600_000_000_000}, "ts"),
        ("a click", "event"),
        (None, "event"),
    ],
)
def test_a_bad_event_is_named_and_nothing_of_its_call_is_written(
    martlet: Martlet, new_user: int, bad: object, field: str
) -> None:
    user = new_user
    good = {"type": "click", "user_id": user, "item_id": 1}
    answer = martlet.post([good, bad, good])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["errors"][0]["index"], problem["errors"][0]["field"]) == (1, field)
    token = martlet.post({"type": "view", "user_id": user, "item_id": 1}).json()["seen"]
    martlet.applied(user, token)  # it comes behind what was refused
    counts = martlet.user(user)["counts"]
    assert (counts["view"], counts["click"]) == (1, 0)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"type":"rating","user_id":1,"item_id":1,"rating":NaN}', b"[]", b"[" * 50_000]
)
def test_a_body_that_is_no_json_is_a_422(martlet: Martlet, body: bytes) -> None:
    answer = martlet.http.post("/v1/events", content=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in {"body", "event"}


def test_too_many_events_and_too_large_a_body_are_refused_early(martlet: Martlet) -> None:
    assert martlet.post([RATING] * 1001).status_code == 422
    assert martlet.http.post("/v1/events", content=b" " * (3 << 20)).status_code == 413


def test_a_call_for_many_users_has_no_token(martlet: Martlet) -> None:
    events = [{"type": "view", "user_id": 901_000 + number, "item_id": 1} for number in range(101)]
    assert martlet.post(events).json()["seen"] is None
    assert martlet.post(events[:100]).json()["seen"]


def test_an_event_for_an_unknown_item_is_applied_without_genres(martlet: Martlet, new_user: int) -> None:
    user = new_user
    token = martlet.post({"type": "like", "user_id": user, "item_id": 777_777_777}).json()["seen"]
    martlet.applied(user, token)
    known = martlet.user(user)
    assert known["counts"]["like"] == 1
    assert known["tastes"] == {}
    until(lambda: martlet.http.get("/v1/items/777777777").status_code == 200, 60, "the new item is known")
    assert martlet.http.get("/v1/items/777777777").json()["positives"] == 1
