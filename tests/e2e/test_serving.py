"""Ways to ask for lists, why they are so, lists that are pushed, policies and experiments: on the real services."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import httpx
import pytest

from tests.home import Martlet, until

pytestmark = pytest.mark.home


class ServingFile:
    """The home's serving.json. Each one is marked by an experiment without users, so that GET /v1/ops tells which one holds."""

    def __init__(self, martlet: Martlet) -> None:
        self._martlet = martlet
        self._path = martlet.home / "serving.json"
        self._numbers = count()

    def __call__(self, *, experiments: Sequence[dict[str, Any]] = (), **more: Any) -> None:
        """Write it, and wait until it holds."""
        marker = f"written-{next(self._numbers)}"
        marking = {"name": marker, "layer": "written", "arms": {"nobody": {"share": 0.0}}}
        self._write({"experiments": [*experiments, marking], **more})
        until(lambda: marker in self._holding(), what="serving.json holds")

    def write_wrong(self, **what: Any) -> None:
        """Write it, and wait until it is told as refused; the one before must hold."""
        self._write(what)
        until(lambda: self._ops()["settings"]["serving.json"], what="serving.json is refused")

    def remove(self) -> None:
        """Back to the plain policy."""
        self._path.unlink(missing_ok=True)
        until(lambda: not self._holding(), what="the plain policy")

    def _write(self, what: dict[str, Any]) -> None:
        """In one rename: half a file would be refused."""
        aside = self._path.with_suffix(".new")
        aside.write_text(json.dumps(what))
        aside.replace(self._path)

    def _holding(self) -> set[str]:
        return {each["name"] for each in self._ops()["experiments"]}

    def _ops(self) -> dict[str, Any]:
        answer = self._martlet.http.get("/v1/ops")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture
def serving(martlet: Martlet) -> Iterator[ServingFile]:
    """Writes serving.json; the plain policy comes back afterwards."""
    file = ServingFile(martlet)
    yield file
    file.remove()


def ids(answer: dict[str, Any]) -> list[int]:
    return [item["item_id"] for item in answer["items"]]


def test_an_explained_list_says_what_made_it(martlet: Martlet) -> None:
    answer = martlet.whole(6, explain=1, size=10)
    whole = answer["explain"]
    assert whole["stages"]["recalled"] == 500
    assert whole["stages"]["ranked_by"] == ["fusion"]
    assert whole["user"]["age_ms"] >= 0
    assert set(whole["user"]["features"]) >= {"log_events", "mean_rating"}
    assert whole["user"]["newest"][0]["item_id"] == martlet.user(6)["history"][0]["item_id"]
    for position, item in enumerate(answer["items"]):
        why = item["explain"]
        assert why["shown_at"] == position
        assert why["rank"] == position
        assert why["models"]["fusion"]["score"] == pytest.approx(item["score"])
        assert sorted(why["channels"]) == sorted(item["channels"])
        assert all(channel.get("strength", 1) > 0 for channel in why["channels"].values())
        assert set(why["features"]) >= {"mean_rating", "log_popularity_14d"}
    assert "explain" not in martlet.recommend(6)


def test_models_rank_in_the_apis_process_where_the_file_says_so(martlet: Martlet, serving: ServingFile) -> None:
    def where() -> dict[str, str]:
        found: dict[str, str] = {
            each["name"]: each["ranking"] for each in martlet.http.get("/v1/models").json()["models"]
        }
        return found

    def ranks(ranking: str) -> Callable[[], bool]:
        return lambda: where()["fusion"] == ranking

    assert set(where().values()) == {"model-server"}
    for ranking in ("in-process", "model-server"):
        serving(ranking=ranking)
        until(ranks(ranking), 70, f"Fusion ranks {ranking}")
        assert martlet.whole(6, size=10)["model"] == "fusion"
    assert "martlet_in_process_failed_total{" not in martlet.http.get("/metrics").text


def test_many_lists_are_those_of_each(martlet: Martlet) -> None:
    users = [6, 10, 2**62]

    def alike() -> bool:
        """Items move with each list that is shown, so answers that nothing came between may take some tries."""
        at = martlet.recommend(6)["at"]
        answer = martlet.http.post("/v1/recommendations", json={"user_ids": users, "size": 5, "at": at})
        assert answer.status_code == 200, answer.text
        lists = answer.json()["lists"]
        assert [each["user_id"] for each in lists] == users
        return all(ids(each) == ids(martlet.recommend(each["user_id"], size=5, at=at)) for each in lists)

    until(alike, 60, "the same lists")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/recommendations", {"user_ids": []}, "length >= 1"),
        ("/v1/recommendations", {"user_ids": list(range(101))}, "length <= 100"),
        ("/v1/recommendations", {"user_ids": [6], "size": 0}, "$.size"),
        ("/v1/recommendations", {"users": [6]}, "unknown field `users`"),
        ("/v1/rank", {"user_id": 6}, "item_ids"),
        ("/v1/rank", {"user_id": 6, "item_ids": [-1]}, "$.item_ids[0]"),
        ("/v1/rank", {"user_id": "", "item_ids": [1]}, "$.user_id"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(martlet: Martlet, path: str, body: dict[str, Any], said: str) -> None:
    answer = martlet.http.post(path, json=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_a_body_that_is_no_utf_8_is_refused(martlet: Martlet) -> None:
    for method, path in (("POST", "/v1/rank"), ("POST", "/v1/recommendations"), ("PUT", "/v1/items/3")):
        answer = martlet.http.request(method, path, content=b'{"user_id":6,"model":"\xff","title":"\xff"}')
        assert answer.status_code == 422, answer.text


def test_given_candidates_are_ranked_as_they_are_in_a_list(martlet: Martlet) -> None:
    def ranked_alike() -> bool:
        """Items move with each list that is shown, so a pair of answers that nothing came between may take some tries."""
        shown = martlet.recommend(6, size=30)
        body = {"user_id": 6, "item_ids": sorted(ids(shown)), "at": shown["at"]}
        return ids(martlet.http.post("/v1/rank", json=body).json()) == ids(shown)

    until(ranked_alike, 60, "the same order")
    seen = int(next(iter(martlet.redis.smembers("{u:6}:seen"))))
    answer = martlet.http.post("/v1/rank", json={"user_id": 6, "item_ids": [313, seen, 2**61]}).json()
    assert answer["unknown"] == [2**61]
    assert sorted(ids(answer)) == sorted([313, seen])


def test_a_click_is_pushed(martlet: Martlet, new_user: int) -> None:
    lists: list[dict[str, Any]] = []
    done = threading.Event()
    user, another = new_user, new_user + 30_000_000

    def listen() -> None:
        with (
            httpx.Client(base_url=martlet.address, timeout=20, trust_env=False) as http,
            http.stream("GET", "/v1/stream", params={"user_id": user, "size": 5}) as stream,
        ):
            assert stream.headers["content-type"].startswith("text/event-stream")
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    lists.append(json.loads(line[6:]))
                    if done.is_set():
                        return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    until(lambda: len(lists) == 1, what="the first list")
    first = lists[0]
    liked = ids(first)[0]
    martlet.post({"type": "like", "user_id": user, "item_id": liked}).raise_for_status()
    until(lambda: len(lists) >= 2 and lists[-1]["freshness"]["last_event_ts"], what="the list after the like")
    assert liked not in ids(lists[-1])
    assert ids(lists[-1]) != ids(first)
    moved = len(lists)
    other = martlet.post({"type": "like", "user_id": another, "item_id": liked})
    martlet.applied(another, other.json()["seen"])
    assert len(lists) == moved, "another user's event moves nothing"
    again = ids(lists[-1])[0]
    done.set()
    martlet.post({"type": "like", "user_id": user, "item_id": again}).raise_for_status()
    listener.join(60)
    assert not listener.is_alive()
    assert len(lists) == moved + 1
    assert again not in ids(lists[-1]), "nor later: the one list since is that after this user's like"
    until(lambda: "martlet_streams 0.0" in martlet.http.get("/metrics").text, what="the end of the stream")
    assert martlet.http.get("/v1/stream", params={"user_id": 6, "model": "nope"}).status_code == 404


def test_rules_and_diversity(martlet: Martlet, serving: ServingFile) -> None:
    plain = martlet.whole(6, size=20)
    first = ids(plain)[0]
    # What is hidden can't be pinned.
    last = [item["item_id"] for item in plain["items"] if "Horror" not in item["genres"] and item["year"] >= 1950][-1]
    assert last != first
    serving(policy={"pin": [last, 2**60], "bury": [first], "hide": {"genres": ["Horror"], "before": 1950}})
    ruled = martlet.recommend(6, size=20, explain=1)
    assert ids(ruled)[0] == last
    assert ruled["items"][0]["explain"]["rules"] == ["pinned"]
    assert first not in ids(ruled)
    for item in ruled["items"]:
        assert "Horror" not in item["genres"]
        assert item["year"] is None or item["year"] >= 1950
    serving(policy={"diversity": 0.5})
    spread = martlet.whole(6, size=20)

    def genres(answer: dict[str, Any]) -> int:
        return len({tuple(item["genres"]) for item in answer["items"]})

    assert genres(spread) > genres(plain)


def test_blend_and_what_is_left_out(martlet: Martlet, serving: ServingFile) -> None:
    def without_nope(**more: Any) -> dict[str, Any] | None:
        answer = martlet.recommend(6, **more)
        return answer if answer["degraded"] == ["model left out: nope"] else None

    serving(policy={"blend": {"widedeep": 1.0, "nope": 1.0}})
    answer = until(lambda: without_nope(explain=1), what="a list in which that model alone is left out")
    assert set(answer["items"][0]["explain"]["models"]) == {"fusion", "widedeep"}
    serving(policy={"model": "nope"})
    until(without_nope, what="a list in which that model alone is left out")
    alone = martlet.whole(6, model="fusion", explain=1)
    assert set(alone["items"][0]["explain"]["models"]) == {"fusion"}


def test_experiments_are_sticky_and_logged(martlet: Martlet, serving: ServingFile) -> None:
    serving(
        experiments=[
            {"name": "ranker", "layer": "rank", "arms": {"wide": {"share": 0.5, "policy": {"model": "widedeep"}}}},
        ]
    )
    arms = {}
    for user_id in range(1, 21):
        answer = martlet.recommend(user_id)
        arms[user_id] = answer["arms"]["ranker"]
        assert answer["model"] == ("widedeep" if arms[user_id] == "wide" else "fusion")
        assert martlet.recommend(user_id)["arms"]["ranker"] == arms[user_id]
    assert set(arms.values()) == {"wide", "control"}
    assert "arms" not in martlet.recommend(6, model="fusion")
    text = martlet.http.get("/metrics").text
    assert 'martlet_lists_total{arm="wide",experiment="ranker"}' in text
    serving(policy={"interleave": ["fusion", "widedeep"]})
    teams = [item["team"] for item in martlet.whole(6, size=10)["items"]]
    assert sorted(set(teams)) == ["fusion", "widedeep"]
    assert abs(teams.count("fusion") - 5) <= 1


def test_a_wrong_file_leaves_the_last_good_policy_and_is_told(martlet: Martlet, serving: ServingFile) -> None:
    pinned = ids(martlet.recommend(6))[5]
    serving(policy={"pin": [pinned]})
    assert ids(martlet.recommend(6))[0] == pinned
    serving.write_wrong(policy={"diversity": 7})
    assert ids(martlet.recommend(6))[0] == pinned
    assert 'martlet_settings_refused{file="serving.json"} 1.0' in martlet.http.get("/metrics").text


def test_an_item_that_was_put_is_shown_and_recalled_as_new(martlet: Martlet, serving: ServingFile) -> None:
    def whole_ranks(given: dict[str, Any]) -> dict[str, Any] | None:
        answer: dict[str, Any] = martlet.http.post("/v1/rank", json=given).json()
        return None if answer["degraded"] else answer

    item = {"title": "Flight of the Martlet (2026)", "genres": ["Drama", "Ornithology"], "year": 2026}
    answer = martlet.http.put("/v1/items/987654", json=item)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"item_id": 987654, "created": True, "unknown_genres": ["Ornithology"]}
    told = martlet.http.get("/v1/items/987654").json()
    assert (told["title"], told["genres"], told["year"]) == (item["title"], ["Drama", "Ornithology"], 2026)
    serving(policy={"newcomers": 1.0})
    last = martlet.recommend(6, size=10, explain=1)["items"][-1]
    assert (last["item_id"], last["channels"][0]) == (987654, "new")
    assert last["explain"]["rules"] == ["new"]
    assert last["explain"]["propensity"] == 1.0
    for model in ("widedeep", "neuralcf", "fusion"):  # none of them knows of ornithology
        given = {"user_id": 6, "item_ids": [50, 987654, 181], "model": model}
        ranked = until(lambda: whole_ranks(given), 60, f"{model} ranks it")  # noqa: B023
        assert ranked["model"] == model
        assert 987654 in ids(ranked)
    assert 987654 in ids(martlet.recommend(6, model="widedeep", genre="Ornithology"))
    seen = martlet.post({"type": "like", "user_id": 6, "item_id": 987654}).json()["seen"]
    assert 987654 not in ids(martlet.applied(6, seen, size=100))
    martlet.post({"type": "dislike", "user_id": 10, "item_id": 987654}).raise_for_status()
    changed = martlet.http.put("/v1/items/987654", json={"title": "Renamed"}).json()
    assert changed == {"item_id": 987654, "created": False, "unknown_genres": []}
    assert martlet.http.get("/v1/items/987654").json()["title"] == "Renamed"


def test_an_item_that_was_put_is_there_after_the_api_has_started_again(martlet: Martlet) -> None:
    """Each API process reads the topic of items from its beginning."""
    assert martlet.http.put("/v1/items/987656", json={"title": "Kept", "genres": ["Drama"]}).status_code == 200
    assert martlet.http.put("/v1/items/987657", json={"title": "Deleted"}).status_code == 200
    assert martlet.http.delete("/v1/items/987657").status_code == 200
    before = martlet.status()["services"]["api"]["pid"]
    os.kill(before, signal.SIGTERM)

    def again() -> httpx.Response | None:
        try:
            answer = martlet.http.get("/v1/items/987656")
        except httpx.TransportError:
            return None
        return answer if answer.status_code == 200 and martlet.status()["services"]["api"]["pid"] != before else None

    assert until(again, 60, "the item in the new process").json()["title"] == "Kept"
    assert martlet.http.get("/v1/items/987657").status_code == 404
    until(lambda: martlet.http.get("/readyz").status_code == 200, 60, "all is ready again")


def test_items_are_put_many_at_once_and_leave_lists_when_they_are_sold_out(martlet: Martlet) -> None:
    lines = [json.dumps({"item_id": 988_000 + at, "title": f"Item {at}", "genres": ["Musical"]}) for at in range(2_000)]
    lines[7] = '{"item_id": 988007, "title": 7}'
    answer = martlet.http.post("/v1/items", content="\n".join(lines).encode()).json()
    assert (answer["accepted"], answer["rejected"]) == (1_999, 1)
    assert (answer["lines"][7]["line"], answer["lines"][7]["error"]["field"]) == (8, "title")

    def shown() -> set[int]:
        return set(ids(martlet.recommend(6, genre="Musical", size=100)))

    (one, *_) = found = {each for each in shown() if each >= 988_000}
    assert found
    assert martlet.http.patch(f"/v1/items/{one}", json={"available": False}).status_code == 200
    assert one not in shown()
    assert martlet.http.patch(f"/v1/items/{one}", json={"available": True, "expires": 1}).status_code == 200
    assert one not in shown()
    deleted = [{"item_id": 988_000 + at, "title": "x", "available": False} for at in range(2_000)]
    assert martlet.http.post("/v1/items", json=deleted).json()["accepted"] == 2_000
    assert not {each for each in shown() if each >= 988_000}


@pytest.mark.parametrize(
    ("body", "said"),
    [({}, "title"), ({"title": ""}, "title"), ({"title": "x", "year": "3"}, "year"), ({"title": "x", "by": 1}, "by")],
)
def test_a_bad_item_is_refused(martlet: Martlet, body: dict[str, Any], said: str) -> None:
    answer = martlet.http.put("/v1/items/987655", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert martlet.http.get("/v1/items/987655").status_code == 404


def test_the_catalogue_is_looked_through(martlet: Martlet) -> None:
    genres = {each["name"]: each["items"] for each in martlet.http.get("/v1/genres").json()["genres"]}
    assert genres["Drama"] > genres["Western"] > 0
    query: dict[str, str | int] = {"genre": "Western", "sort": "rating", "limit": 10}
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = martlet.http.get("/v1/items", params=query | ({"cursor": cursor} if cursor else {})).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len({item["item_id"] for item in found}) == len(found) == genres["Western"]
    toy = martlet.http.get("/v1/items", params={"q": "toy sto"}).json()["items"]
    assert [item["title"] for item in toy] == ["Toy Story"]
    assert martlet.http.get("/v1/items", params={"sort": "worst"}).status_code == 422
    assert martlet.http.get("/v1/items", params={"cursor": "x"}).status_code == 422
    near = martlet.http.get(f"/v1/items/{toy[0]['item_id']}/similar", params={"by": "ease", "size": 5}).json()
    assert len(near["similar"]) == 5
    assert {"similar", "ease", "together"} <= set(near["kinds"])
    assert martlet.http.get("/v1/items/1/similar", params={"by": "magic"}).status_code == 404
