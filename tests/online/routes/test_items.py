"""Values of facets counted beside lists: in a thread, one after another, and not again while no item has changed."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from online.http.problems import Problem
from online.routes.items import get_facet, get_genres
from online.server import Server
from online.stores.catalogue_search import CatalogueSearch
from online.stores.facets import Counting, FacetCounts, FacetIndex
from tests.online.in_process import api
from tests.patience import patience
from tests.schemas import film


class Held:
    """An index of a facet whose counts wait until they are let go. began: whether a count has."""

    def __init__(self, index: FacetIndex) -> None:
        self._index = index
        self.began, self.go_on = threading.Event(), threading.Event()
        self.times = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def counting(self) -> "HeldCounting":
        return HeldCounting(self, self._index.counting())


class HeldCounting:
    def __init__(self, held: Held, counting: Counting) -> None:
        self._held, self._counting = held, counting

    def count(self) -> FacetCounts:
        self._held.times += 1
        self._held.began.set()
        assert self._held.go_on.wait(patience(5)), "nobody else came on meanwhile"
        return self._counting.count()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    found: Server = api(tmp_path).state.server
    return found


@pytest.fixture
def held(server: Server) -> Held:
    facets: Any = server.items.facets
    facets.by_name["genres"] = Held(facets.by_name["genres"])
    found: Held = facets.by_name["genres"]
    return found


async def until_begun(held: Held) -> None:
    async with asyncio.timeout(patience(20)):
        while not held.began.is_set():
            await asyncio.sleep(0.001)


def test_the_event_loop_goes_on_while_values_are_counted_and_all_who_ask_meanwhile_get_one_count(
    server: Server, held: Held
) -> None:
    async def run() -> None:
        first = asyncio.create_task(get_facet(server, "genres", 2))
        await until_begun(held)
        second = asyncio.create_task(get_genres(server))
        await asyncio.sleep(0)
        held.go_on.set()  # by the event loop, which the count may not hold up
        assert (await first).body == (
            b'{"facet":"genres","total":3,"values":[{"name":"Comedy","items":20},{"name":"Drama","items":20}]}'
        )
        assert bytes((await second).body).count(b'"items"') == 3
        assert held.times == 1

    asyncio.run(run())


def test_values_are_counted_again_after_an_item_has_changed_and_not_before(server: Server, held: Held) -> None:
    held.go_on.set()

    async def crimes() -> bool:
        return b"Crime" in bytes((await get_genres(server)).body)

    async def run() -> None:
        assert [await crimes(), await crimes()] == [False, False]
        assert held.times == 1
        server.items.put_item(film(500, "Heat", ["Crime"]))
        assert [await crimes(), await crimes()] == [True, True]
        assert held.times == 2

    asyncio.run(run())


def test_an_item_that_comes_while_values_are_counted_is_counted_for_who_asks_after_it(
    server: Server, held: Held
) -> None:
    async def run() -> None:
        before = asyncio.create_task(get_genres(server))
        await until_begun(held)
        server.items.put_item(film(500, "Heat", ["Crime"]))
        after = asyncio.create_task(get_genres(server))
        held.go_on.set()
        assert b"Crime" not in bytes((await before).body)
        assert b"Crime" in bytes((await after).body)

    asyncio.run(run())


def test_a_count_waits_for_the_one_before_it_but_not_for_ever(server: Server, held: Held) -> None:
    short = replace(server, search=CatalogueSearch(server.items, timeout=0.05))

    async def run() -> None:
        first = asyncio.create_task(get_genres(short))
        await until_begun(held)
        with pytest.raises(Problem) as refused:
            await get_facet(short, "genres", 1)
        assert refused.value.status == 503
        held.go_on.set()
        await first

    asyncio.run(run())


def test_over_http_values_are_those_after_a_put(tmp_path: Path) -> None:
    client = TestClient(api(tmp_path), base_url="http://127.0.0.1:8000")
    assert client.get("/v1/facets/genres").json()["total"] == 3
    assert client.put("/v1/items/500", json={"title": "Heat", "genres": ["Crime"]}).status_code == 200
    assert client.get("/v1/facets/genres").json()["values"][-1] == {"name": "Crime", "items": 1}
