"""New and changed items in the stream: from a mark of the catalogue on, events know them; what was folded before stays."""

import pytest

from tests.home import Martlet, until

pytestmark = pytest.mark.home

ITEM = "an item of two lives"


def liked_under(martlet: Martlet, user: int) -> set[str]:
    """What the user's like of the item counted for."""
    token = martlet.post({"type": "like", "user_id": user, "item_id": ITEM}).json()["seen"]
    martlet.applied(user, token)
    return set(martlet.user(user)["weights"])


def marks(martlet: Martlet) -> int:
    overview = martlet.http.get("/v1/ops").json()
    return int(overview["job"]["verdicts"]["marks"])


def put(martlet: Martlet, genres: list[str]) -> None:
    """Change the item, and wait until each partition has been told."""
    before = marks(martlet)
    answer = martlet.http.put(f"/v1/items/{ITEM}", json={"title": ITEM, "genres": genres})
    assert answer.status_code == 200
    until(lambda: marks(martlet) >= before + 8, 10, "the catalogue is marked in all partitions")


def test_an_event_counts_for_what_its_item_was_then(martlet: Martlet) -> None:
    first, second, third = 970_001, 970_002, 970_003
    assert liked_under(martlet, first) == set(), "nobody knows the item yet"
    put(martlet, ["Knitting", "Drama"])
    assert liked_under(martlet, second) == {"Knitting", "Drama"}
    put(martlet, ["Cooking"])
    assert liked_under(martlet, third) == {"Cooking"}
    assert set(martlet.user(second)["weights"]) == {"Knitting", "Drama"}
    assert martlet.http.delete(f"/v1/items/{ITEM}").status_code == 200  # a new item would be in others' lists
    verified = martlet.command("verify", "--wait", "60")
    assert verified.returncode == 0, verified.stdout + verified.stderr
