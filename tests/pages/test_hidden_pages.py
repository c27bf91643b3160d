"""What pages do while nobody sees them: they hold no connection, and ask for no list, as one counts as shown."""

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import Moves, Visit, calls_of, hide

pytestmark = [pytest.mark.pages, pytest.mark.soak]

CONNECTIONS = 6
"""That a browser has to one host."""


def lists_of(calls: list[str]) -> list[str]:
    return [path for path in calls if path.startswith("v1/recommendations")]


def test_more_tabs_than_connections_are_open_and_each_is_whole(visit_small: Visit) -> None:
    page = visit_small("/user.html?id=7")
    for _ in range(CONNECTIONS + 1):
        expect(page.locator("#live")).to_be_visible()
        hide(page)
        expect(page.locator("#live")).to_be_hidden()
        page = page.context.new_page()
        page.goto("/user.html?id=7")
        expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)


def test_moves_meanwhile_make_one_list_on_return(visit_small: Visit) -> None:
    page = visit_small("/docs.html")
    moves = Moves(page)
    page.goto("/user.html?id=7")
    expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)
    calls = calls_of(page)
    hide(page)
    for _ in range(3):
        moves.n += 1
        page.wait_for_timeout(600)
    assert calls == []
    with page.expect_response("**/v1/recommendations*"):
        hide(page, False)
    with page.expect_request("**/v1/stream*"):
        pass
    assert len(lists_of(calls)) == 1


def test_a_page_that_opens_behind_another_asks_for_its_list_once_it_is_seen(visit_small: Visit) -> None:
    for path, tiles in ("/user.html?id=7", "#list .tile:not(.skeleton)"), ("/", "#for-you .tile"):
        page = visit_small("/docs.html")
        page.add_init_script("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
        calls = calls_of(page)
        page.goto(path)
        expect(page.locator("#list .skeleton, #for-you .skeleton").first).to_be_visible()
        page.wait_for_timeout(500)
        assert lists_of(calls) == []
        hide(page, False)
        expect(page.locator(tiles).first).to_be_visible()
        assert lists_of(calls)
