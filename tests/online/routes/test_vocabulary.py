"""GET /v1/schema says what the home's schema says."""

from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from features.schema.tables import Schema, read_schema
from tests.online.in_process import api
from tests.schemas import MOVIES, SHOP


def told(folder: Path, schema: Schema) -> dict[str, Any]:
    answer = TestClient(api(folder, schema), base_url="http://127.0.0.1:8000").get("/v1/schema")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_films_have_genres_years_and_stars(tmp_path: Path) -> None:
    said = told(tmp_path, MOVIES)
    assert (said["noun"], said["nouns"], said["ids"]) == ("film", "films", "numbers")
    assert (said["labels"], said["era"], said["image_hosts"]) == ("genres", "year", [])
    assert said["items"] == [
        {"name": "genres", "type": "facet", "many": True},
        {"name": "year", "type": "number", "many": False},
    ]
    assert [each["name"] for each in said["acts"]] == ["click", "view", "rating", "like", "dislike"]
    assert said["acts"][2] == {
        "name": "rating",
        "value": "stars",
        "needs_value": True,
        "positive": True,
        "negative": True,
        "hides": "forever",
        "click": False,
    }


def test_a_shop_has_acts_of_its_own_and_strings_for_ids(tmp_path: Path) -> None:
    said = told(tmp_path, SHOP)
    assert (said["noun"], said["ids"], said["labels"], said["era"]) == ("product", "strings", "category", None)
    acts = {each["name"]: each for each in said["acts"]}
    assert (acts["purchase"]["value"], acts["purchase"]["needs_value"], acts["purchase"]["hides"]) == (
        "money",
        False,
        "7d",
    )
    assert (acts["remove_from_cart"]["positive"], acts["remove_from_cart"]["negative"]) == (False, True)


def test_an_act_whose_weight_goes_by_its_value_needs_one(tmp_path: Path) -> None:
    text = '[events.read]\nvalue = "seconds"\nweights = [[0, -0.5], [60, 1.0]]\n'
    (act,) = told(tmp_path, read_schema(text, "schema.toml"))["acts"]
    assert (act["name"], act["needs_value"], act["positive"], act["negative"]) == ("read", True, True, True)
