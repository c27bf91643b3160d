"""What is done about a list goes to the user whose list it was, whoever another tab plays and whatever the browser remembers."""

from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.pages.conftest import Visit

pytestmark = [pytest.mark.pages, pytest.mark.soak]

CLOSED = """Object.defineProperty(window, "localStorage", { get() { throw new DOMException("closed", "SecurityError"); } });"""
"""A browser that gives pages no storage."""


def sent_by(request: Request) -> dict[str, Any]:
    """The event of a request."""
    event: Any = request.post_data_json
    assert isinstance(event, dict)
    return event


def click_of(page: Page, link: str) -> dict[str, Any]:
    """Follow a link to a film out of a list; returns the event that this is."""
    page.locator(link).first.scroll_into_view_if_needed()
    with page.expect_request("**/v1/events") as event:
        page.locator(link).first.click()
    return sent_by(event.value)


def belongs_to(page: Page, user: int) -> None:
    """A film's page plays that user, and leads to their list."""
    expect(page.locator("#player")).to_have_text(f"user {user}")
    for link in "#player", "#to-list", "#my-list":
        expect(page.locator(link)).to_have_attribute("href", f"/user.html?id={user}")


def test_a_click_is_that_of_the_user_whose_list_it_was(visit_small: Visit) -> None:
    page = visit_small("/user.html?id=8")
    expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)
    other = page.context.new_page()
    other.goto("/user.html?id=7")
    expect(other.locator("#list .tile:not(.skeleton)")).to_have_count(20)
    assert click_of(page, "#list .tile h3 a")["user_id"] == "8"
    belongs_to(page, 8)
    page.reload()
    belongs_to(page, 8)
    with page.expect_request("**/v1/events") as event:
        page.locator("#acts .thumb.like").click()
    assert sent_by(event.value)["user_id"] == "8"


def test_films_of_two_models_lead_on_for_the_same_user(visit_small: Visit) -> None:
    page = visit_small("/user.html?id=8")
    page.locator("#beside").select_option(index=1)
    expect(page.locator(".side")).to_have_count(2)
    page.evaluate("localStorage.setItem('martlet.user', '7')")
    assert click_of(page, ".side a")["user_id"] == "8"


@pytest.mark.parametrize(("path", "link"), [("/user.html?id=8", "#list .tile h3 a"), ("/?id=8", "#for-you .tile a")])
def test_a_browser_without_storage_goes_by_the_list_too(visit_small: Visit, path: str, link: str) -> None:
    page = visit_small("/docs.html")
    page.add_init_script(CLOSED)
    page.goto(path)
    expect(page.locator(link)).not_to_have_count(0)
    expect(page.locator("#my-list")).to_have_attribute("href", "/user.html?id=8")
    assert click_of(page, link)["user_id"] == "8"
    belongs_to(page, 8)
