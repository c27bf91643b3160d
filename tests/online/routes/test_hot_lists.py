"""The hot way and FastAPI's give the same: status, headers, and bytes but for the id of the request."""

import json
import re
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from online.http.json_response import encode_answer
from online.http.seen_token import make_token
from online.ranking.rerank import Slate
from online.recommend.recommendation import Recommendation
from online.routes.hot_lists import LIST, RANK, HotLists, read_plain
from online.routes.list_answers import answer_of
from online.routes.recommendations import RankedList
from online.support import metrics
from tests.online.counts import count_of
from tests.online.in_process import api
from tests.schemas import peopled

_ID = re.compile(rb'"request_id":"[0-9a-f]{32}"')


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> tuple[TestClient, TestClient]:
    """The application, and one without the hot way; items of every kind are put into both."""
    made = []
    hot: Any = HotLists
    for name in ("hot", "cold"):
        app = api(tmp_path_factory.mktemp(name), peopled("movies"), Random(7))
        if name == "cold":
            app.user_middleware = [each for each in app.user_middleware if each.cls is not hot]
        client = TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
        for item_id, more in (("café", {"image_url": "http://x/1.png"}), ("501", {"genres": ["War"], "year": 1995})):
            assert client.put(f"/v1/items/{item_id}", json={"title": f'New "{item_id}"', **more}).status_code == 200
        made.append(client)
    return made[0], made[1]


def said(client: TestClient, method: str, url: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    answer = client.request(method, url, content=body)
    return answer.status_code, dict(answer.headers), _ID.sub(b"", answer.content)


def same(ways: tuple[TestClient, TestClient], method: str, url: str, body: bytes | None = None) -> int:
    hot, cold = (said(client, method, url, body) for client in ways)
    assert hot == cold
    return hot[0]


PLAIN = [
    "user_id=7",
    "user_id=99&size=100",
    "size=1&user_id=7&model=widedeep",
    "user_id=Ada",
    f"user_id=7&seen={make_token({7: 0})}",
]
WRONG = [
    "",
    "user_id=",
    "user_id=7&size=0",
    "user_id=7&size=101",
    "user_id=7&size=020",
    "user_id=7&size=many",
    "user_id=7&user_id=8",
    "user_id=7&model=none",
    "user_id=7&seen=no%20token",
    "user_id=7&seen=AAAA",
    f"user_id={'9' * 129}",
    f"user_id=7&model={'x' * 65}",
    "user_id=caf%C3%A9",
    "user_id=a%0Ab",
    "user_id=7&explain=1",
    "user_id=7&genre=War",
    "user_id=7&fields=title",
    "user_id=7&unheard_of=1",
    "user_id=7&size=5&size=6",
    "user_id=7;size=5",
    "user_id=7&&size=5",
    "user_id=7&size",
]


@pytest.mark.parametrize("query", [*PLAIN, *WRONG])
def test_a_list_is_the_same_both_ways(ways: tuple[TestClient, TestClient], query: str) -> None:
    assert (read_plain(query.encode()) is not None) == (
        query in (*PLAIN, "user_id=7&model=none", "user_id=7&seen=AAAA")
    )
    assert same(ways, "GET", f"{LIST}?{query}") == 200 or query in WRONG


BODIES: list[Any] = [
    {"user_id": 7, "item_ids": [1, 2, 501]},
    {"user_id": "Ada", "item_ids": ["café", 4, 999_999], "model": "widedeep"},
    {"user_id": 7, "item_ids": [1, 1, 1]},
    {"user_id": 7, "item_ids": [5], "fields": ["title"]},
    {"user_id": 7, "item_ids": [5, 6], "explain": True},
    {"user_id": 7, "item_ids": [5], "fields": ["none"]},
    {"user_id": 7, "item_ids": []},
    {"user_id": 7, "item_ids": list(range(501))},
    {"user_id": 7},
    {"user_id": -1, "item_ids": [1]},
    {"user_id": 7, "item_ids": [1], "model": "none"},
    {"user_id": 7, "item_ids": [1], "more": 1},
    {"user_id": "a\nb", "item_ids": [1]},
    [],
    None,
]


@pytest.mark.parametrize("body", [*map(json.dumps, BODIES), "", "{", "\ud800".encode("utf-8", "surrogatepass")])
def test_a_ranking_is_the_same_both_ways(ways: tuple[TestClient, TestClient], body: str | bytes) -> None:
    same(ways, "POST", RANK, body.encode() if isinstance(body, str) else body)


@pytest.mark.parametrize(
    ("method", "url"),
    [("POST", LIST), ("PUT", LIST), ("HEAD", f"{LIST}?user_id=7"), ("GET", RANK), ("GET", f"{LIST}/?user_id=7")],
)
def test_other_methods_and_paths_are_fastapis(ways: tuple[TestClient, TestClient], method: str, url: str) -> None:
    same(ways, method, url)


words = st.one_of(
    st.sampled_from(
        ["user_id", "size", "model", "seen", "genre", "7", "5", "widedeep", "", "=", "&", "%41", "+", "é", "%0A"]
    ),
    st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc"]), max_size=3),
)


@given(st.lists(words, max_size=12))
def test_any_query_is_the_same_both_ways(ways: tuple[TestClient, TestClient], parts: list[str]) -> None:
    query = "".join(parts).replace("#", "").encode("utf-8", "replace").decode()
    same(ways, "GET", f"{LIST}?{query}")


@given(st.lists(st.tuples(st.sampled_from(["user_id", "size", "model", "seen"]), words), max_size=4))
def test_any_parameters_are_the_same_both_ways(ways: tuple[TestClient, TestClient], given_ones: list[Any]) -> None:
    query = "&".join(f"{name}={value}" for name, value in given_ones).replace("#", "")
    same(ways, "GET", f"{LIST}?{query.encode('utf-8', 'replace').decode()}")


def test_both_ways_are_counted_under_their_route(ways: tuple[TestClient, TestClient]) -> None:
    counted = metrics.REQUESTS.labels(LIST, "200")
    for client in ways:
        before = count_of(counted)
        assert client.get(f"{LIST}?user_id=7").status_code == 200
        assert count_of(counted) == before + 1


def test_pieces_give_the_bytes_of_the_answers_type(ways: tuple[TestClient, TestClient], answer: Recommendation) -> None:
    """Also of teams, arms, unknown items, a changed item, and a list of nothing."""
    hot, _ = ways
    server: Any = hot.app.state.server  # type: ignore[attr-defined]
    slate = replace(answer.ranked.slate, teams={answer.ranked.slate.candidate_indices[1]: "fusion"})
    teams = replace(answer, ranked=replace(answer.ranked, slate=slate), arms={"order": "new"})
    nothing = replace(answer, item_ids=[], item_scores=[], ranked=replace(answer.ranked, slate=Slate([], [])))
    for each in (answer, teams, nothing, replace(answer, user="Ada", model=None)):
        for seen in (None, True, False):
            assert server.pieces.encode(each, seen) == encode_answer(answer_of(server, each, seen))
        fields = {name: getattr(answer_of(server, each, None), name) for name in RankedList.__struct_fields__[:-1]}
        assert server.pieces.encode(each, None, [9, "x"]) == encode_answer(RankedList(**fields, unknown=[9, "x"]))
    server.items.put_item(structs.replace(server.items.item_of(answer.item_ids[0]), title="Another"))
    assert b'"title":"Another"' in server.pieces.encode(answer, None)
