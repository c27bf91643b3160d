"""Ids that are strings, on the real services: events, lists, items, undo, forgetting and `verify` speak the id outside."""

from urllib.parse import quote

import pytest

from features.ids import Ids
from features.keys import item_key, user_key
from tests.home import Martlet, until

pytestmark = pytest.mark.home

NAMES = ["guest-7f3a", "Zoë 🧦", "00042", "люба/2%"]


@pytest.mark.parametrize("user", NAMES)
def test_a_user_with_a_name_is_followed_and_forgotten(martlet: Martlet, user: str) -> None:
    rated = martlet.http.get("/v1/recommendations", params={"user_id": user}).json()["items"][0]["item_id"]
    event = {"type": "rating", "user_id": user, "item_id": rated, "rating": 5}
    liked = {"type": "like", "user_id": user, "item_id": "SKU/1"}
    posted = martlet.post([event, liked]).json()
    answer = martlet.applied(user, posted["seen"], size=50, exclude="SKU/1,3")
    assert answer["user_id"] == user
    assert not {rated, "SKU/1", 3} & {item["item_id"] for item in answer["items"]}
    known = martlet.user(user)
    assert (known["user_id"], [entry["item_id"] for entry in known["history"]]) == (user, ["SKU/1", rated])
    undo = {"type": "undo", "user_id": user, "target": posted["event_ids"][1]}
    token = martlet.post([undo, {"type": "forget_user", "user_id": user}]).json()["seen"]
    martlet.applied(user, token)
    assert martlet.user(user)["history"] == []
    inside = Ids(bytes.fromhex(martlet.salt)).inside(user)
    assert martlet.redis.exists(user_key(inside))
    value = martlet.redis.hget(user_key(inside), "v")
    assert isinstance(value, bytes)
    assert user.encode() not in value, "a forgotten name is in no feature"


@pytest.mark.parametrize("item", ["SKU-1", "a/b c%2F", "商品 🧦"])
def test_an_item_with_a_name_is_put_liked_and_found(martlet: Martlet, new_user: int, item: str) -> None:
    path = f"/v1/items/{quote(item, safe='')}"
    put = martlet.http.put(path, json={"title": f"Thing {item}", "genres": ["Drama"]})
    assert (put.status_code, put.json()["item_id"]) == (200, item)
    token = martlet.post({"type": "like", "user_id": new_user, "item_id": item}).json()["seen"]
    martlet.applied(new_user, token)
    assert martlet.user(new_user)["history"][0]["item_id"] == item
    assert martlet.http.get(path).json()["title"] == f"Thing {item}"
    ranked = martlet.http.post("/v1/rank", json={"user_id": new_user, "item_ids": [item, 1, "nothing"]}).json()
    assert ranked["unknown"] == ["nothing"]
    assert {each["item_id"] for each in ranked["items"]} == {item, 1}
    inside = Ids(bytes.fromhex(martlet.salt)).inside(item)

    def named() -> bool:
        value = martlet.redis.hget(item_key(inside), "v")
        return isinstance(value, bytes) and item.encode() in value

    until(named, 60, "the item's features follow, and have its name")
    assert martlet.http.delete(path).status_code == 200  # a new item would be in others' lists


@pytest.mark.parametrize("bad", ["", "a\nb", "x" * 129, "\x00"])
def test_what_is_no_id_is_refused_with_its_field(martlet: Martlet, bad: str) -> None:
    refused = martlet.post({"type": "click", "user_id": 1, "item_id": bad})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "item_id")
    refused = martlet.http.get("/v1/recommendations", params={"user_id": bad})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "user_id")


def test_the_same_user_as_number_and_text_is_one(martlet: Martlet, new_user: int) -> None:
    token = martlet.post({"type": "like", "user_id": str(new_user), "item_id": "2"}).json()["seen"]
    martlet.applied(new_user, token)
    assert martlet.user(new_user)["counts"]["like"] == 1


@pytest.mark.soak
def test_names_stand_up_to_verify(martlet: Martlet) -> None:
    martlet.post([{"type": "click", "user_id": user, "item_id": item} for user in NAMES for item in ("SKU-9", 7)])
    verified = martlet.command("verify", "--wait", "60")
    assert verified.returncode == 0, verified.stdout + verified.stderr
