"""A list that could not be renewed: what was shown stays, can be acted on, and is asked for again."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.pages.conftest import Visit, calls_of

pytestmark = [pytest.mark.pages, pytest.mark.soak]

PAGES = [("/user.html?id=7", "#list .tile:not(.skeleton)", "#fault-text"), ("/", "#for-you .tile", "#for-you .note")]
"""A page with a list, its tiles, and where it says what is wrong."""
HASTE = """
const wait = window.setTimeout;
window.setTimeout = (then, ms, ...more) => wait(then, ms >= 700 && ms <= 1000 ? 20 : ms, ...more);
"""
"""Pauses of about a second, after which a page asks again, are short."""


def fail(route: Route) -> None:
    route.fulfill(status=500, json={"detail": "not now"})


def shown(visit: Visit, path: str, tiles: str) -> Page:
    page = visit(path)
    expect(page.locator(tiles)).not_to_have_count(0)
    return page


def like(page: Page, tiles: str) -> None:
    """A like, or the best rating, of the first film."""
    page.locator(tiles).first.locator(".star input[value='5']").click(force=True)


@pytest.mark.parametrize(("path", "tiles", "fault"), PAGES)
def test_a_film_can_be_rated_again_after_its_list_failed(
    visit_small: Visit, complaints: list[str], path: str, tiles: str, fault: str
) -> None:
    page = shown(visit_small, path, tiles)
    page.route("**/v1/recommendations*", fail)
    like(page, tiles)
    expect(page.locator(fault)).to_have_text("not now")
    expect(page.locator(".tile.waiting")).to_have_count(0)
    calls = calls_of(page)
    page.wait_for_timeout(500)  # no double click
    like(page, tiles)
    expect(page.locator("#freshness")).to_contain_text("could not be renewed")
    assert "v1/events" in calls
    assert complaints
    complaints.clear()


@pytest.mark.parametrize(("path", "tiles", "fault"), PAGES)
def test_a_film_can_be_rated_again_where_nothing_takes_the_first_rating_in(
    visit_small: Visit, path: str, tiles: str, fault: str
) -> None:
    page = visit_small("/docs.html")
    page.add_init_script(HASTE)
    page.goto(path)
    expect(page.locator(tiles)).not_to_have_count(0)
    like(page, tiles)
    expect(page.locator("#freshness")).to_contain_text("nothing takes it in at the moment", timeout=60_000)
    expect(page.locator(".tile.waiting")).to_have_count(0)


@pytest.mark.parametrize(("path", "tiles", "fault"), PAGES)
def test_a_list_that_is_asked_for_again_in_vain_stays_and_is_asked_for_again(
    visit_small: Visit, complaints: list[str], path: str, tiles: str, fault: str
) -> None:
    page = shown(visit_small, path, tiles)  # it lacks what Redis has, and is asked for again
    films = page.locator(tiles).count()
    page.route("**/v1/recommendations*", fail)
    expect(page.locator(fault)).to_have_text("not now")
    expect(page.locator(tiles)).to_have_count(films)
    page.unroute_all()
    expect(page.locator("main")).not_to_contain_text("not now", use_inner_text=True)
    expect(page.locator(tiles)).to_have_count(films)
    assert complaints
    complaints.clear()


@pytest.mark.parametrize(("path", "tiles", "fault"), PAGES)
def test_a_list_that_an_act_could_not_renew_is_asked_for_again(
    visit_small: Visit, complaints: list[str], path: str, tiles: str, fault: str
) -> None:
    page = shown(visit_small, path, tiles)
    page.route("**/v1/recommendations*", fail)
    like(page, tiles)
    expect(page.locator("#freshness")).to_contain_text("could not be renewed")
    page.unroute_all()
    expect(page.locator("main")).not_to_contain_text("not now", use_inner_text=True, timeout=30_000)
    expect(page.locator(tiles)).not_to_have_count(0)
    assert complaints
    complaints.clear()


@pytest.mark.parametrize(
    ("path", "asked", "fault", "films"),
    [
        ("/collection.html?type=genre&value=Drama", "**/v1/items?*", "#fault", "#films .poster:not(.skeleton)"),
        ("/", "**/v1/facets/*", "#genres-fault", "#genres h2"),
        ("/", "**/v1/recommendations*", "#for-you .note", "#for-you .tile"),
    ],
)
def test_what_failed_at_first_is_tried_again(
    visit_small: Visit, complaints: list[str], path: str, asked: str, fault: str, films: str
) -> None:
    page = visit_small("/docs.html")
    page.route(asked, fail)
    page.goto(path)
    expect(page.locator(fault)).to_contain_text("not now")
    expect(page.locator(films)).to_have_count(0)
    page.unroute_all()
    page.locator(fault).get_by_role("button", name="Try again").click()
    expect(page.locator(films)).not_to_have_count(0)
    expect(page.locator(films).first).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("not now", use_inner_text=True)
    assert complaints
    complaints.clear()


def test_the_genres_of_a_collection_that_failed_come_with_its_films(visit_small: Visit, complaints: list[str]) -> None:
    page = visit_small("/docs.html")
    page.route(re.compile("/v1/(items|facets)"), fail)
    page.goto("/collection.html?type=genre&value=Drama")
    expect(page.locator("#fault")).to_contain_text("not now")
    genres = page.locator("#genres .pill")
    expect(genres).to_have_count(0)
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#genres .pill[aria-current]")).to_have_text("Drama")
    count = genres.count()
    page.locator("#sort").select_option("title")
    expect(page.locator("#films .poster:not(.skeleton)")).not_to_have_count(0)
    expect(genres).to_have_count(count)
    assert complaints
    complaints.clear()
