"""Bodies that hold much in little: what they would become is not made, as all other requests would wait for it."""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from features.contracts.items import ITEM_LIMIT
from features.ids import MAX_LENGTH
from online.http.body_limit import BODY_LIMIT, LARGE_LIMITS
from online.http.item_lines import read_items
from online.http.problems import Problem
from online.routes.events import MAX_BYTES, MAX_EVENTS
from online.routes.recommendations import MAX_EXCLUDED
from tests.online.in_process import NOW, api
from tests.schemas import MOVIES

LIKE = {"type": "like", "user_id": 7, "item_id": 1}
EVENTS_LIMIT = LARGE_LIMITS["POST", "/v1/events"]


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """Unstarted: nothing is connected."""
    return TestClient(api(tmp_path), base_url="http://127.0.0.1:8000")


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Holds that no more than so many bytes are taken meanwhile."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def test_an_event_of_too_many_bytes_is_refused_unread(client: TestClient) -> None:
    for body in (b"[[%b[]]]", b'{"a":[%b[]]}', b'[{"type":"like","attributes":[%b[]]}]'):
        with at_most(2 * EVENTS_LIMIT):
            answer = client.post("/v1/events", content=body % (b"[]," * (EVENTS_LIMIT // 12)))
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["index"], error["field"], error["expected"]) == (0, "event", f"at most {MAX_BYTES} bytes")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/v1/users/7"), ("PUT", "/v1/items/7"), ("POST", "/v1/recommendations"), ("POST", "/v1/rank")],
)
def test_a_body_that_is_read_at_once_is_refused_unread_where_it_is_long(
    client: TestClient, method: str, path: str
) -> None:
    """Two MiB of empty lists become half a million objects, for which all other requests would wait."""
    with at_most(2 * EVENTS_LIMIT):
        answer = client.request(method, path, content=b'{"attributes":[%b[]]}' % (b"[]," * (EVENTS_LIMIT // 12)))
    assert (answer.status_code, answer.json()["detail"]) == (413, f"the body is over {BODY_LIMIT} bytes")


def test_as_many_ids_as_may_be_excluded_fit_into_a_body(client: TestClient) -> None:
    """Of the longest that there are. The server stands still: it has no list, and says so."""
    ids = [f"{number:0{MAX_LENGTH}}" for number in range(MAX_EXCLUDED)]
    assert client.post("/v1/recommendations", json={"user_ids": [7], "exclude": ids}).status_code != 413


@pytest.mark.parametrize(
    ("events", "index", "expected"),
    [
        ([LIKE] * (MAX_EVENTS + 1), 0, f"1 to {MAX_EVENTS} events"),
        ([], 0, f"1 to {MAX_EVENTS} events"),
        ([LIKE, 7], 1, "`object`"),
        ([LIKE, LIKE | {"type": "look"}], 1, "one of "),
        (7, 0, "`object`"),
    ],
)
def test_what_is_wrong_is_named_by_its_place_and_field(
    client: TestClient, events: object, index: int, expected: str
) -> None:
    (error,) = client.post("/v1/events", json=events).json()["errors"]
    assert (error["index"], error["expected"][: len(expected)]) == (index, expected)


def test_an_array_of_items_with_a_long_element_is_refused_unread() -> None:
    whole = json.dumps({"item_id": 1, "title": "Ran"})
    long = "[" + "[]," * 1_000_000 + "[]]"
    with at_most(8 * len(long)), pytest.raises(Problem, match=f"element 2 .*more than {ITEM_LIMIT} characters"):
        read_items(f"[{whole}, {long}]".encode(), NOW, MOVIES)
    digits = "0." + "1" * (2 * ITEM_LIMIT)
    with pytest.raises(Problem, match=f"element 1 has more than {ITEM_LIMIT} characters"):
        read_items(f"[{digits}, {whole}]".encode(), NOW, MOVIES)


def test_an_element_as_long_as_an_item_may_be_is_read() -> None:
    """The last one as well as one before another."""
    text = json.dumps({"item_id": 1, "title": "Ran", "a": ""})
    longest = text[:-2] + "x" * (ITEM_LIMIT - len(text)) + '"}'
    assert len(longest) == ITEM_LIMIT
    found = read_items(f"[{longest},{longest} ]".encode(), NOW, MOVIES)
    assert [getattr(each, "field", "") for _, each in found] == ["a", "a"], (
        "it is read, and has a field that there is not"
    )
