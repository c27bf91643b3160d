"""The protocol over HTTP: asked before the row is posted, with the user's last token, at the row's time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.base.mapped_table import table_parts
from features.base.reader import CATALOGUE, ITEMS, MANIFEST, PAIRS, USERS
from features.errors import BadInput, MartletError
from features.inputs.input_maps import INPUTS_VERSION
from features.inputs.signals import SIGNAL_COLUMNS
from features.schema.document import FILE as SCHEMA_FILE
from features.types import RATING
from features.units import HOUR_MS
from infra.home.paths import Home as HomeFolder
from infra.home.paths import write_json
from infra.offline_jobs.evaluate import fetch_lists, in_memory, recall, training_constants, training_constants_argv
from offline.datasets.dataset import Dataset
from offline.evaluation.ranking_metrics import NO_RANK, ranks_of
from tests.schemas import MOVIES, SHOP, peopled

ROWS = [  # user, item, rating, ts
    (1, 10, 5.0, 1 * HOUR_MS),
    (2, 11, 4.0, 2 * HOUR_MS),
    (1, 11, 4.0, 3 * HOUR_MS),  # the first that is asked for
    (1, 10, 3.0, 3 * HOUR_MS),  # not positive: posted alone
    (2, 12, 5.0, 4 * HOUR_MS),  # an item never seen: nobody could have known it
    (1, 12, 5.0, 6 * HOUR_MS),
]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    users, items, ratings, times = zip(*ROWS, strict=True)
    centis = [round(rating * 100) for rating in ratings]
    columns = {"user_id": users, "item_id": items, "kind": [RATING] * len(ROWS), "centi": centis, "ts": times}
    table = pa.table(columns | {name: [""] * len(ROWS) for name in ("user", "item", "context")})
    pq.write_table(table, tmp_path / "rows.parquet")
    return Dataset("mine", tmp_path / "rows.parquet", [], len(ROWS), HOUR_MS, 6 * HOUR_MS)


class Home:
    """A home that always shows the same items, and keeps what was asked of it."""

    def __init__(self, items: tuple[int | str, ...] = (11, 10)) -> None:
        self.items = items
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            event = msgspec.json.decode(request.content)
            self.calls.append(("post", event))
            return httpx.Response(202, json={"accepted": 1, "seen": f"token {len(self.calls)}"})
        self.calls.append(("ask", dict(request.url.params)))
        late = len(self.calls) > 5
        items = [{"item_id": item_id} for item_id in self.items]
        return httpx.Response(200, json={"items": items, "degraded": [], "freshness": {"seen_applied": not late}})


def walk_in_memory(home: HomeFolder, number: int, print_line: Callable[[str], None]) -> None:
    in_memory(home, number, [], False, False, home.path, print_line)


@pytest.fixture
def with_base(tmp_path: Path) -> HomeFolder:
    """A home with a base 3 that nothing ever ran from, and without its data set and training data."""
    home = HomeFolder(tmp_path).make()
    base = home.bases / "3"
    base.mkdir(parents=True)
    for name in (USERS, ITEMS, PAIRS, CATALOGUE):
        (base / name).write_bytes(b"".join(table_parts([])))
    (base / MANIFEST).write_text(json.dumps({"cut": 0, "number": 3, "dataset": "mine"}))
    (base / SCHEMA_FILE).write_text(MOVIES.text())
    return home


@pytest.mark.parametrize("walk", [recall, walk_in_memory])
def test_a_base_that_no_up_has_used_yet_is_walked(walk: Callable[..., None], with_base: HomeFolder) -> None:
    """What is evaluated anew has such a base; that the data set is missing, the walk says."""
    with pytest.raises(MartletError, match=r"--dataset: expected .*mine"):
        walk(with_base, 3, print)


def test_training_constants_that_are_unknown_and_homes_without_lists_are_refused(with_base: HomeFolder) -> None:
    with pytest.raises(BadInput, match=r"expected one of smoothing, .*, all, got smooth$"):
        training_constants(with_base, 3, ["smoothing", "smooth"], 1, print)
    with pytest.raises(BadInput, match=r"expected a home with training data: ./martlet train makes it, got none"):
        training_constants(with_base, 3, ["smoothing"], 1, print)


def test_training_constants_are_compared_on_the_lists_of_the_base(with_base: HomeFolder) -> None:
    made = {"inputs_version": INPUTS_VERSION, "signals": len(SIGNAL_COLUMNS)}
    lists = with_base.data / "asks-3"
    lists.mkdir(parents=True)
    write_json(lists / "meta.json", made)
    argv = training_constants_argv(with_base, 3, ["rate", "batch"], 2)
    assert argv[1:] == [
        "--asks",
        str(lists),
        "--seeds",
        "2",
        "--training-constant",
        "rate",
        "--training-constant",
        "batch",
    ]
    with pytest.raises(MartletError) as caught:
        training_constants(with_base, 3, ["rate"], 2, print)
    assert str(lists) in str(caught.value), "it is run on them, and they are not whole"
    write_json(lists / "meta.json", {**made, "signals": 1})
    with pytest.raises(BadInput, match=r"./martlet train makes it, got none that is current"):
        training_constants(with_base, 3, ["rate"], 2, print)


def test_a_row_is_asked_for_before_it_is_posted(dataset: Dataset) -> None:
    home = Home()
    lines: list[int] = []
    client = httpx.Client(base_url="http://home", transport=httpx.MockTransport(home))
    walked, degraded = fetch_lists(client, dataset, MOVIES, 2, len(ROWS), "fusion", "live", lines.append)
    requests, lists, page_lists = walked.queries, walked.lists["live"], walked.page_lists["live"]
    assert [name for name, _ in home.calls] == ["ask", "post", "post", "post", "ask", "post"]
    first, second = (what for name, what in home.calls if name == "ask")
    assert first == {"user_id": "1", "size": "10", "at": str(3 * HOUR_MS), "model": "fusion"}
    assert second == {**first, "at": str(6 * HOUR_MS), "seen": "token 3"}  # of the user's own last post
    posted = [
        (what["user_id"], what["item_id"], what["rating"], what["ts"]) for name, what in home.calls if name == "post"
    ]
    assert posted == ROWS[2:]
    assert lists.tolist() == page_lists.tolist() == [[11, 10] + [-1] * 8] * 2
    assert ranks_of(lists, requests.wanted).tolist() == [0, NO_RANK]
    assert (requests.users, requests.gaps, requests.events, requests.ages) == (
        [1, 1],
        [2 * HOUR_MS, 3 * HOUR_MS],
        [1, 3],
        [HOUR_MS, 2 * HOUR_MS],
    )
    assert degraded == 0
    assert lines == [2, 3, 4, 5]


def test_ids_that_are_strings_and_the_context_go_out_as_they_are(tmp_path: Path) -> None:
    words, inside = [("anna", "SKU-1"), ("bert", "SKU-2"), ("anna", "SKU-2")], SHOP.ids.inside
    columns: dict[str, list[Any]] = {
        "user_id": [inside(user) for user, _ in words],
        "item_id": [inside(item) for _, item in words],
        "kind": [SHOP.code_of["purchase"]] * 3,
        "centi": [250] * 3,
        "ts": [HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS],
        "user": [user for user, _ in words],
        "item": [item for _, item in words],
        "context": ["", "", '{"device":"phone","hour":7.5,"logged_in":true}'],
    }
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    home, dataset = Home(("SKU-2", "SKU-1")), Dataset("shop", tmp_path / "rows.parquet", [], 3, HOUR_MS, 3 * HOUR_MS)
    client = httpx.Client(base_url="http://home", transport=httpx.MockTransport(home))
    walked, _ = fetch_lists(client, dataset, peopled("shop"), 2, 3, None, "live", lambda _: None)
    (_, parameters), (_, event) = home.calls
    assert parameters["user_id"] == event["user_id"] == "anna"
    assert event["item_id"] == "SKU-2"
    said = {name: value for name, value in parameters.items() if name.startswith("context.")}
    assert said == {"context.device": "phone", "context.hour": "7.5", "context.logged_in": "true"}
    assert event["context"] == {"device": "phone", "hour": 7.5, "logged_in": True}
    assert ranks_of(walked.lists["live"], walked.queries.wanted).tolist() == [0]


def test_lists_that_lack_something_are_counted_and_errors_are_not_hidden(dataset: Dataset) -> None:
    home = Home()
    home.calls = [("post", {})] * 5
    client = httpx.Client(base_url="http://home", transport=httpx.MockTransport(home))
    _, degraded = fetch_lists(client, dataset, MOVIES, 2, 3, None, "live", lambda _: None)
    assert degraded == 1
    broken = httpx.Client(base_url="http://home", transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    with pytest.raises(httpx.HTTPStatusError):
        fetch_lists(broken, dataset, MOVIES, 2, 3, None, "live", lambda _: None)
