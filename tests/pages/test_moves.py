"""A move that the stream tells while the user page can't show it yet: it is shown as soon as that is over."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.pages.conftest import Visit, calls_of

pytestmark = [pytest.mark.pages, pytest.mark.soak]


class Stream:
    """The stream of a page and its lists: a move is told once, when the test says so, and lists are of the place that it says."""

    def __init__(self, page: Page) -> None:
        self.n = 1
        self._connections: list[Route] = []
        self._untold: int | None = None
        page.route("**/v1/stream*", self._connect)
        page.route("**/v1/recommendations*", self.answer)

    def tell(self, n: int) -> None:
        self._untold = n
        if self._connections:
            self._connect(self._connections.pop())

    def _connect(self, route: Route) -> None:
        if self._untold is None:
            self._connections.append(route)
            return
        body = f"event: move\ndata: {json.dumps({'n': self._untold})}\n\n"
        self._untold = None
        route.fulfill(content_type="text/event-stream", body=body)

    def answer(self, route: Route) -> None:
        answer: dict[str, Any] = route.fetch().json()
        answer["degraded"] = []
        answer["explain"]["user"]["n"] = self.n
        route.fulfill(json=answer)


def test_a_move_while_the_first_list_is_under_way_is_shown_after_it(visit_small: Visit) -> None:
    page = visit_small("/docs.html")
    stream = Stream(page)
    first: list[Route] = []

    def hold(route: Route) -> None:
        first.append(route)

    page.route("**/v1/recommendations*", hold, times=1)
    with page.expect_request("**/v1/recommendations*"), page.expect_request("**/v1/stream*"):
        page.goto("/user.html?id=7")
    with page.expect_request("**/v1/stream*"):  # told, and connected again
        stream.tell(2)
    with page.expect_request("**/v1/recommendations*") as second:
        stream.answer(first[0])
    assert second.value.response() is not None
    expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)
    calls = calls_of(page)
    page.wait_for_timeout(500)
    assert calls == []  # once, though that list is still of the place before


def test_a_move_while_an_act_fails_is_shown_after_it(visit_small: Visit, complaints: list[str]) -> None:
    page = visit_small("/docs.html")
    stream = Stream(page)
    with page.expect_request("**/v1/stream*"):
        page.goto("/user.html?id=7")
    tiles = page.locator("#list .tile:not(.skeleton)")
    expect(tiles).to_have_count(20)
    acts: list[Route] = []

    def hold(route: Route) -> None:
        acts.append(route)

    page.route("**/v1/events", hold)
    with page.expect_request("**/v1/events"):
        tiles.first.locator(".star input[value='5']").click(force=True)
    with page.expect_request("**/v1/stream*"):
        stream.tell(2)
    stream.n = 2
    with page.expect_response("**/v1/recommendations*"):
        acts[0].fulfill(status=422, json={"detail": "no such film"})
    expect(page.locator("#freshness")).to_contain_text("not sent")
    assert all("422" in each for each in complaints)
    complaints.clear()
