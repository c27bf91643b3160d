"""Items written over HTTP, by the real application over a small base of films."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient

from features.contracts.items import ITEM_LIMIT
from features.fold.state import ItemFeatures
from features.units import DAY_MS
from online.http.item_lines import MAX_LINES
from online.stores.item_store import ItemStore
from tests.online.in_process import NOW, api

HEAT = {"title": "Heat", "genres": ["Crime", "Drama"], "year": 1995}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """Unstarted: nothing is connected."""
    return TestClient(api(tmp_path), base_url="http://127.0.0.1:8000")


def lists_of(client: TestClient) -> Iterator[set[int]]:
    """The ids of all items in: a user's list, what is like film 1, and a page of the catalogue."""
    yield {each["item_id"] for each in client.get("/v1/recommendations?user_id=99&size=100").json()["items"]}
    yield {each["item_id"] for each in client.get("/v1/items/1/similar?size=100").json()["similar"]}
    yield {each["item_id"] for each in client.get("/v1/items?limit=100").json()["items"]}


def fault_of(answer: Any) -> tuple[int, str, str, str]:
    body = answer.json()
    (fault,) = body["errors"]
    return answer.status_code, fault["field"], fault["expected"], fault["received"]


def test_an_item_is_put_whole_and_patched_in_part(client: TestClient) -> None:
    answer = client.put("/v1/items/500", json=HEAT)
    assert answer.json() == {"item_id": 500, "created": True, "unknown_genres": ["Crime"]}
    assert client.put("/v1/items/500", json=HEAT | {"genres": None}).json()["created"] is False
    found = client.get("/v1/items/500").json()
    assert (found["title"], found["genres"], found["year"], found["available"]) == ("Heat", [], 1995, True)
    assert client.patch("/v1/items/500", json={"genres": ["War"], "year": None}).status_code == 200
    found = client.get("/v1/items/500").json()
    assert (found["title"], found["genres"], found["year"]) == ("Heat", ["War"], None)
    assert client.patch("/v1/items/501", json={"year": 2000}).status_code == 404


@pytest.mark.parametrize(
    ("body", "field", "expected", "received"),
    [
        ({}, "title", "a value", "nothing"),
        ({"title": "x", "year": "1995"}, "year", "a number from -1e+15 to 1e+15", "'1995'"),
        ({"title": "x", "genres": list(map(str, range(1_000)))}, "genres", "at most 64 strings", "1000 values"),
        ({"title": "x", "poster": 1}, "poster", "one of genres, year", "an attribute that the schema does not have"),
        ([], "item", "`object`", "`array`"),
    ],
)
def test_what_is_no_item_is_refused_by_field(
    client: TestClient, body: Any, field: str, expected: str, received: str
) -> None:
    assert fault_of(client.put("/v1/items/500", json=body)) == (422, field, expected, received)
    assert client.get("/v1/items/500").status_code == 404


@pytest.mark.parametrize(("given", "received"), [(8, "8"), (7, "7"), ("SKU-8", "'SKU-8'"), ([7], "1 values")])
def test_an_id_in_the_body_is_refused_as_the_path_names_the_item(client: TestClient, given: Any, received: str) -> None:
    """Whichever it is: who sends another one means another item."""
    for path in ("/v1/items/7", "/v1/items/SKU-8"):
        for call in (client.put, client.patch):
            refused = call(path, json=HEAT | {"item_id": given})
            assert fault_of(refused) == (422, "item_id", "no id, as the path names the item", received)
    assert client.get("/v1/items/7").json()["title"] == "Film 7"
    assert client.put("/v1/items/7", json=HEAT | {"item_id": None}).status_code == 200


def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_refused(client: TestClient) -> None:
    body = json.dumps(HEAT).encode()
    fits = body + b" " * (ITEM_LIMIT - len(body))
    assert client.put("/v1/items/500", content=fits).status_code == 200
    refused = client.put("/v1/items/500", content=fits + b" ")
    assert (refused.status_code, f"at most {ITEM_LIMIT} bytes, got {ITEM_LIMIT + 1}" in refused.text) == (413, True)


def test_each_line_is_answered_for_and_only_good_ones_are_written(client: TestClient) -> None:
    lines = [
        json.dumps({"item_id": 500, **HEAT}),
        "",
        '{"item_id": 501, "title": "x", "year": "no"}',
        "{not JSON",
        '{"title": "x"}',
        '{"item_id": 502, "title": "Ran"}\r',
        json.dumps({"item_id": 503, "title": "x" * ITEM_LIMIT}),
    ]
    answer = client.post("/v1/items", content="\n".join(lines).encode()).json()
    assert (answer["accepted"], answer["rejected"]) == (2, 4)
    assert [(each["line"], each.get("item_id"), each.get("error", {}).get("field")) for each in answer["lines"]] == [
        (1, 500, None),
        (3, None, "year"),
        (4, None, "item"),
        (5, None, "item_id"),
        (6, 502, None),
        (7, None, "item"),
    ]
    assert answer["lines"][1]["error"] == {
        "field": "year",
        "expected": "a number from -1e+15 to 1e+15",
        "received": "'no'",
    }
    assert [client.get(f"/v1/items/{each}").status_code for each in range(500, 504)] == [200, 404, 200, 404]


def test_lines_are_counted_with_the_empty_ones_and_bad_elements_of_an_array_are_lines(client: TestClient) -> None:
    body = b'\r\n\n  {"item_id": 500, "title": "x"}\r\n \t\n{"item_id": 501, "title": "x"}\n1\n\n'
    answer = client.post("/v1/items", content=body).json()
    assert [(each["line"], each.get("item_id")) for each in answer["lines"]] == [(3, 500), (5, 501), (6, None)]
    body = b' [ {"item_id": 502, "title": "a, ]\\" [x"} , NaN,[1, {}] ,\n{"item_id": 503, "title": "\xc3\xa9"}\n] '
    answer = client.post("/v1/items", content=body).json()
    found = [(each["line"], each.get("item_id")) for each in answer["lines"]]
    assert found == [(1, 502), (2, None), (3, None), (4, 503)]
    assert [client.get(f"/v1/items/{each}").json()["title"] for each in (502, 503)] == ['a, ]" [x', "é"]


def test_an_id_of_another_ones_number_is_refused_by_both_names(client: TestClient) -> None:
    """As events told it: two strings that meet can't be found."""
    items: ItemStore = client.app.state.server.items  # type: ignore[attr-defined]
    items.put_features(items.inside(["b"])[0], ItemFeatures("a"))
    lines = [{"item_id": "a", **HEAT}, {"item_id": "b", "title": "x"}, {"item_id": 500, "title": "x"}]
    answer = client.post("/v1/items", json=lines).json()
    assert (answer["accepted"], answer["rejected"], answer["lines"][1]["error"]["received"]) == (
        2,
        1,
        "'b', whose number 'a' has",
    )
    for refused in (
        client.put("/v1/items/b", json=HEAT),
        client.patch("/v1/items/b", json={"title": "x"}),
        client.delete("/v1/items/b"),
    ):
        assert (refused.status_code, "'b', whose number 'a' has" in refused.json()["detail"]) == (409, True)
    assert client.get("/v1/items/a").json()["title"] == "Heat"


def test_an_item_that_only_events_told_can_be_deleted(client: TestClient) -> None:
    items: ItemStore = client.app.state.server.items  # type: ignore[attr-defined]
    items.put_features(900, ItemFeatures(900))
    items.put_features(items.inside(["SKU 2"])[0], ItemFeatures("SKU 2"))
    for outer in (900, "SKU 2"):
        assert client.get(f"/v1/items/{outer}").status_code == 200
        assert client.delete(f"/v1/items/{outer}").json() == {"item_id": outer, "deleted": True}
        assert client.get(f"/v1/items/{outer}").status_code == 404
        assert client.delete(f"/v1/items/{outer}").status_code == 404
    items.put_features(900, ItemFeatures(900, n=5))
    assert items.row(900) is None
    assert client.delete("/v1/items/901").status_code == 404


@pytest.mark.parametrize(
    "more", [{"image_url": "/img/1.jpg"}, {"values": {"story": "é" * 20_000}}], ids=["a relative URL", "too large"]
)
def test_an_item_that_was_taken_unchecked_can_be_deleted(client: TestClient, more: dict[str, Any]) -> None:
    items: ItemStore = client.app.state.server.items  # type: ignore[attr-defined]
    known = items.catalogue.get(5)
    assert known is not None
    items.put_item(msgspec.structs.replace(known, **more))
    if "image_url" in more:
        assert client.patch("/v1/items/5", json={"year": 2000}).status_code == 200
    assert client.delete("/v1/items/5").json() == {"item_id": 5, "deleted": True}
    assert client.get("/v1/items/5").status_code == 404


def test_an_array_is_taken_too_and_of_an_id_the_later_counts(client: TestClient) -> None:
    answer = client.post("/v1/items", json=[{"item_id": 500, **HEAT}, {"item_id": 500, "title": "Ran"}]).json()
    assert [each["line"] for each in answer["lines"]] == [1, 2]
    assert client.get("/v1/items/500").json()["title"] == "Ran"


MANY = b"{},\n" * (MAX_LINES + 1)


@pytest.mark.parametrize(
    "body",
    [b"", b"\n\n", b"[", b"[]", b"[1,", b"[{}{}]", b"[{}] {}", b"[" * 100_000, b"[\xff]", MANY, b"[" + MANY + b"{}]"],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_what_can_not_be_read_as_lines_is_refused_whole(client: TestClient, body: bytes) -> None:
    assert client.post("/v1/items", content=body).status_code == 422


@pytest.mark.parametrize("change", [{"available": False}, {"expires": NOW}])
def test_what_is_not_available_or_has_expired_is_in_no_list(client: TestClient, change: dict[str, Any]) -> None:
    assert [found & {5, 6} for found in lists_of(client)] == [{5, 6}] * 3
    assert client.patch("/v1/items/5", json=change).status_code == 200
    assert [found & {5, 6} for found in lists_of(client)] == [{6}, {6}, {6}]
    assert 5 in {each["item_id"] for each in client.get("/v1/items?limit=100&unlisted=1").json()["items"]}
    assert client.get("/v1/items/5").status_code == 200
    back = {"available": True, "expires": NOW + DAY_MS}
    assert client.patch("/v1/items/5", json=back).status_code == 200
    assert [found & {5, 6} for found in lists_of(client)] == [{5, 6}] * 3


@pytest.mark.parametrize(
    ("hide", "hidden"),
    [
        ({"genres": ["War"]}, set(range(2, 41, 2))),
        ({"facets": {"genres": ["War"]}}, set(range(2, 41, 2))),
        ({"before": 1984, "after": 1985}, {*range(1, 4), *range(6, 41)}),
    ],
)
def test_what_the_policy_hides_is_in_no_list(tmp_path: Path, hide: dict[str, Any], hidden: set[int]) -> None:
    serving = tmp_path / "serving.json"
    shop = {"share": 0.5, "policy": {"hide": {}}}
    experiment = {"name": "all", "layer": "all", "arms": {"all": shop}}
    serving.write_text(json.dumps({"policy": {"hide": hide}, "experiments": [experiment]}))
    client = TestClient(api(tmp_path, serving=str(serving)), base_url="http://127.0.0.1:8000")
    users = [
        user
        for user in range(100, 140)
        if client.get(f"/v1/recommendations?user_id={user}").json()["arms"] == {"all": "control"}
    ]
    lists = [
        {each["item_id"] for each in client.get(f"/v1/recommendations?user_id={users[0]}&size=100").json()["items"]},
        {each["item_id"] for each in client.get("/v1/items/1/similar?size=100").json()["similar"]},
        *(
            {each["item_id"] for each in client.get(f"/v1/items?limit=100&sort={sort}").json()["items"]}
            for sort in ("popular", "title")
        ),
    ]
    assert [bool(found) for found in lists] == [True] * 4
    assert [found & hidden for found in lists] == [set()] * 4
    assert hidden <= {each["item_id"] for each in client.get("/v1/items?limit=100&unlisted=1").json()["items"]}
    some = min(hidden)
    assert client.get(f"/v1/items/{some}").status_code == 200
    ranked = client.post("/v1/rank", json={"user_id": 7, "item_ids": [some]}).json()["items"]
    assert [each["item_id"] for each in ranked] == [some]


@pytest.mark.parametrize(("typed", "is_any"), [("", True), (" ", True), ("film", True), ("***", False), ("🎬", False)])
def test_a_text_without_a_letter_is_in_no_title(client: TestClient, typed: str, is_any: bool) -> None:
    assert bool(client.get("/v1/items", params={"q": typed}).json()["items"]) == is_any


def test_of_what_is_similar_the_best_that_may_be_shown_are_answered(client: TestClient) -> None:
    def near(size: int) -> list[int]:
        answer = client.get(f"/v1/items/1/similar?size={size}").json()
        return [each["item_id"] for each in answer["similar"]]

    assert near(1) == [5]
    for number in (5, 6):
        assert client.patch(f"/v1/items/{number}", json={"available": False}).status_code == 200
    assert near(1) == near(2) == [3]


def test_what_is_deleted_is_no_item_any_more_but_histories_know_it(client: TestClient) -> None:
    for number in (3, 5):
        assert client.delete(f"/v1/items/{number}").json() == {"item_id": number, "deleted": True}
    assert [found & {3, 5, 6} for found in lists_of(client)] == [{6}] * 3
    for path in ("/v1/items/3", "/v1/items/3/similar"):
        assert client.get(path).status_code == 404
    assert client.delete("/v1/items/3").status_code == 404
    assert client.post("/v1/rank", json={"user_id": 7, "item_ids": [1, 3]}).json()["unknown"] == [3]
    assert 5 not in {each["item_id"] for each in client.get("/v1/items?limit=100&unlisted=1").json()["items"]}
    assert [each["title"] for each in client.get("/v1/users/7").json()["history"]] == ["Film 3", "Film 1"]
    assert client.put("/v1/items/3", json={"title": "Again"}).json()["created"] is True
    assert client.get("/v1/items/3").json()["title"] == "Again"


def test_lists_are_narrowed_by_facets_and_carry_the_fields_that_are_named(client: TestClient) -> None:
    client.put("/v1/items/500", json=HEAT)
    both = client.get("/v1/items?facet=genres:Crime&facet=genres:Comedy&limit=100").json()["items"]
    assert {each["item_id"] for each in both} == {*range(1, 41, 2), 500}
    found = client.get("/v1/recommendations?user_id=99&facet=genres:War&size=5&fields=year").json()["items"]
    fields = {"item_id", "title", "year", "score", "channels"}
    assert [(each["item_id"] % 2, set(each)) for each in found] == [(0, fields)] * 5
    assert client.get("/v1/items?facet=genres:War").json() == client.get("/v1/items?genre=War").json()
    body = {"user_ids": [99], "facet": ["genres:War"], "fields": []}
    (answer,) = client.post("/v1/recommendations", json=body).json()["lists"]
    assert [(each["item_id"] % 2, "genres" in each) for each in answer["items"]] == [(0, False)] * 20
    for query, status in [("facet=War", 422), ("facet=brand:A", 404), ("genre=Noir", 404), ("fields=price", 422)]:
        assert client.get(f"/v1/items?{query}").status_code == status
        assert client.get(f"/v1/recommendations?user_id=7&{query}").status_code == status


def test_pages_by_title_lead_past_a_long_title(client: TestClient) -> None:
    for number, title in ((500, "한" * 120), (501, "한" * 500)):
        assert client.put(f"/v1/items/{number}", json={"title": title}).status_code == 200
    found: list[int] = []
    params: dict[str, str | None] = {"sort": "title", "limit": "1"}
    for _ in range(42):
        page = client.get("/v1/items", params=params)
        assert page.status_code == 200, page.text
        found += [each["item_id"] for each in page.json()["items"]]
        params["cursor"] = page.json()["next"]
    assert (found[-2:], params["cursor"]) == ([500, 501], None)


def test_values_of_a_facet_are_counted(client: TestClient) -> None:
    client.put("/v1/items/500", json=HEAT)
    genres = client.get("/v1/genres").json()["genres"]
    assert {each["name"]: each["items"] for each in genres} == {"Comedy": 20, "Crime": 1, "Drama": 21, "War": 20}
    values = client.get("/v1/facets/genres?limit=1").json()
    assert values == {"facet": "genres", "total": 4, "values": [{"name": "Drama", "items": 21}]}
    assert client.get("/v1/facets/brand").status_code == 404
