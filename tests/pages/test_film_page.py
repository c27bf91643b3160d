"""A film's page after what goes wrong on it: a fault that passes, a double click, a rating taken back or not sent."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.pages.conftest import Visit, calls_of

pytestmark = pytest.mark.pages

FILM = "/movie.html?movieId=3"


def opened(visit: Visit, path: str = FILM) -> Page:
    page = visit(path)
    expect(page.locator("#acts .thumb.like")).to_be_visible()
    return page


def star(page: Page, stars: int) -> None:
    page.locator(f"#acts .star input[value='{stars}']").click(force=True)


def refuse(page: Page, status: int) -> None:
    """No event is taken any more."""
    page.route("**/v1/events", lambda route: route.fulfill(status=status, json={"detail": "the log is full"}))


def test_a_page_whose_first_answer_failed_is_whole_with_the_next(visit_small: Visit, complaints: list[str]) -> None:
    page = visit_small("/docs.html")

    def fail(route: Route) -> None:
        route.fulfill(status=500, json={"detail": "not now"})

    page.route("**/v1/items/3*", fail)
    page.route("**/v1/items/3/similar*", fail)
    page.goto(FILM)
    expect(page.locator("#fault")).to_have_text("not now")
    expect(page.locator("#film")).to_be_hidden()
    page.unroute_all()
    expect(page.locator("#film")).to_be_visible()
    expect(page.locator("#fault")).to_be_hidden()
    expect(page.locator("#near .poster:not(.skeleton)").first).to_be_visible()
    assert complaints
    assert all("500" in each for each in complaints)
    complaints.clear()


def test_a_double_click_is_one_act(visit_small: Visit) -> None:
    page = opened(visit_small)
    calls = calls_of(page)
    page.locator("#acts .thumb.like").dblclick()
    expect(page.locator("#freshness")).to_contain_text("it is kept")
    page.locator("#acts .star").nth(3).click()
    expect(page.locator("#freshness")).to_contain_text("4 ★: it is kept")
    assert calls.count("v1/events") == 2


def test_stars_go_with_a_rating_that_is_taken_back(visit_small: Visit) -> None:
    page = opened(visit_small)
    stars = page.locator("#acts .stars")
    star(page, 4)
    expect(page.locator("#freshness")).to_contain_text("4 ★: it is kept")
    expect(stars).to_have_attribute("data-value", "4")
    page.get_by_role("button", name="Take back").click()
    expect(page.locator("#freshness")).to_contain_text("You took back your 4 ★")
    expect(stars).to_have_attribute("data-value", "0")


def test_a_rating_that_is_not_sent_leaves_the_stars_of_the_one_before(
    visit_small: Visit, complaints: list[str]
) -> None:
    page = opened(visit_small)
    stars = page.locator("#acts .stars")
    star(page, 2)
    expect(page.locator("#freshness")).to_contain_text("2 ★: it is kept")
    refuse(page, 422)
    star(page, 5)
    expect(page.locator("#freshness")).to_contain_text("5 ★: not sent. the log is full")
    expect(stars).to_have_attribute("data-value", "2")
    page.get_by_role("button", name="Take back").click()
    expect(page.locator("#freshness")).to_contain_text("not sent")
    expect(stars).to_have_attribute("data-value", "2")
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    assert all("422" in each for each in complaints)
    complaints.clear()


def test_what_an_older_act_did_is_not_said_over_what_went_wrong_since(
    visit_small: Visit, complaints: list[str]
) -> None:
    page = opened(visit_small)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/recommendations*", hold)
    with page.expect_request("**/v1/recommendations*") as asked:
        page.locator("#acts .thumb.like").click()
    refuse(page, 422)
    star(page, 5)
    line = page.locator("#freshness")
    expect(line).to_contain_text("5 ★: not sent")
    for route in held:
        route.continue_()
    answer = asked.value.response()
    assert answer is not None
    answer.finished()
    expect(page.get_by_role("link", name="See your list")).to_be_visible()  # the list has come
    expect(line).to_contain_text("5 ★: not sent")
    assert all("422" in each for each in complaints)
    complaints.clear()


def test_films_like_it_that_failed_once_come_later(visit_small: Visit, complaints: list[str]) -> None:
    page = visit_small("/docs.html")
    page.route("**/v1/items/3/similar*", lambda route: route.fulfill(status=500, json={"detail": "not now"}))
    page.goto(FILM)
    expect(page.locator("#kind-words")).to_have_text("not now")
    expect(page.locator("#film")).to_be_visible()
    page.unroute_all()
    expect(page.locator("#near .poster:not(.skeleton)").first).to_be_visible()
    assert all("500" in each for each in complaints)
    complaints.clear()
