"""The home page, the search, a film's page, and a collection."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.home import Martlet
from tests.pages.conftest import Visit, calls_of

pytestmark = pytest.mark.pages


def test_the_first_page_shows_rows_and_a_pulse(visit: Visit) -> None:
    page = visit("/")
    expect(page.locator("#for-you .poster:not(.skeleton)").first).to_be_visible()
    expect(page.locator("#trending .poster:not(.skeleton)")).to_have_count(14)
    expect(page.locator("#pulse-read")).to_have_text(re.compile(r"^[\d,]+$"))
    row = page.locator("#genres section").first
    row.scroll_into_view_if_needed()
    expect(row.locator(".poster:not(.skeleton)").first).to_be_visible()
    row.get_by_role("link", name=re.compile("^All ")).click()
    expect(page.locator("#films .poster:not(.skeleton)").first).to_be_visible()
    assert "/collection.html?type=genre&value=" in page.url


def test_a_click_on_the_first_page_renews_the_row_of_ones_own(visit: Visit, martlet: Martlet) -> None:
    user = 930_650
    page = visit(f"/?id={user}")
    mine = page.locator("#for-you .tile:not(.ghost)")
    expect(mine).to_have_count(14)
    assert "id=" not in page.url
    rated, item_id = mine.nth(1).locator(".title").inner_text(), int(mine.nth(1).get_attribute("data-key") or "")
    mine.nth(1).locator(".star input[value='5']").click(force=True)
    status = page.locator("#freshness")
    expect(status).to_have_text(
        re.compile(f"^You gave “{re.escape(rated)}” 5 ★: your list was renewed"), timeout=30_000
    )
    expect(status).to_have_class("applied")
    assert rated not in mine.locator(".title").all_inner_texts()
    expect(page.locator("#for-you .change:visible").first).to_have_text(re.compile("new|▲|▼"))
    assert martlet.user(user)["counts"]["rating"] == 1
    page.get_by_role("button", name=re.compile("^Take back")).click()
    expect(status).to_contain_text(f"You took back your 5 ★ for “{rated}”: your list was renewed", timeout=30_000)
    # Where it stands now is the model's business; the page shows the best alone.
    assert item_id in {item["item_id"] for item in martlet.recommend(user, size=100)["items"]}


def test_a_row_goes_on_by_keyboard(visit: Visit) -> None:
    page = visit("/")
    expect(page.locator("#trending .poster:not(.skeleton)")).to_have_count(14)
    on = page.get_by_role("button", name="On in Trending now")
    back = page.get_by_role("button", name="Back in Trending now")
    expect(back).to_have_attribute("aria-disabled", "true")
    on.press("Enter")
    expect(back).to_have_attribute("aria-disabled", "false")
    assert page.locator("#trending .row").evaluate("(row) => row.scrollLeft") > 0


def test_a_poster_names_the_genre_whose_films_are_shown(visit: Visit) -> None:
    page = visit("/collection.html?type=genre&value=Drama")
    expect(page.locator("#films .poster:not(.skeleton)")).to_have_count(36)
    assert set(page.locator("#films .kind").all_inner_texts()) == {"DRAMA"}


def test_search_as_you_type_by_keyboard(visit: Visit) -> None:
    page = visit("/")
    search = page.get_by_role("combobox", name="Search films")
    search.press_sequentially("toy st", delay=20)
    expect(page.get_by_role("option").first).to_contain_text("Toy Story")
    search.press("ArrowDown")
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    assert search.get_attribute("aria-activedescendant") == page.get_by_role("option").first.get_attribute("id")
    search.press("Enter")
    expect(page.locator("#title")).to_have_text("Toy Story")


def test_what_was_typed_before_the_script_came_is_searched(visit: Visit) -> None:
    page = visit("/")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/header.js*", hold)
    with page.expect_request("**/header.js*"):
        page.reload(wait_until="commit")
    page.get_by_role("combobox", name="Search films").fill("zzzz")
    for script in held:
        script.continue_()
    expect(page.locator("#found")).to_contain_text("No title has words that begin with “zzzz”")


def test_a_search_without_a_result_says_so_and_enter_shows_all_results(visit: Visit) -> None:
    page = visit("/")
    search = page.get_by_role("combobox", name="Search films")
    search.fill("zzzz")
    expect(page.locator("#found")).to_contain_text("No title has words that begin with “zzzz”")
    search.fill("star")
    expect(page.get_by_role("option")).to_have_count(8)
    search.press("Escape")
    expect(page.locator("#found")).to_be_hidden()
    search.press("Enter")
    expect(page.locator("#name")).to_have_text("“star”")
    expect(page.locator("#films")).to_contain_text("Star Wars")


def leave(page: Page) -> None:
    page.locator("#search").press("Tab")


def escape(page: Page) -> None:
    page.locator("#search").press("Escape")


@pytest.mark.parametrize("go", [leave, escape])
def test_a_search_that_was_left_is_not_opened_by_its_answer(visit_small: Visit, go: Callable[[Page], None]) -> None:
    page = visit_small("/collection.html")
    expect(page.locator("#films .poster:not(.skeleton)").first).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.locator("#search").fill("film")
    expect(page.locator("#found")).to_be_visible()
    page.route("**/v1/items?q=*", hold)
    with page.expect_request("**/v1/items?q=*"):
        page.locator("#search").fill("film 1")
    go(page)
    for route in held:
        route.continue_()
    page.wait_for_timeout(500)
    expect(page.locator("#found")).to_be_hidden()


@pytest.mark.parametrize("go", [leave, escape])
def test_a_search_that_was_left_is_not_begun(visit_small: Visit, go: Callable[[Page], None]) -> None:
    page = visit_small("/collection.html")
    expect(page.locator("#films .poster:not(.skeleton)").first).to_be_visible()
    calls = calls_of(page)
    # A key at once after the letter: before the pause after which a search begins.
    page.evaluate(
        """(escape) => {
            const search = document.querySelector("#search");
            search.focus();
            search.value = "film";
            search.dispatchEvent(new Event("input"));
            if (escape) search.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
            else search.blur();
        }""",
        go is escape,
    )
    page.wait_for_timeout(500)
    assert calls == []
    expect(page.locator("#found")).to_be_hidden()


def test_a_link_within_the_page_leaves_what_it_shows(visit_small: Visit) -> None:
    page = visit_small("/collection.html")
    films = page.locator("#films .poster:not(.skeleton)")
    expect(films).to_have_count(36)
    page.get_by_role("button", name="More films").click()
    expect(films).to_have_count(40)
    calls = calls_of(page)
    page.locator(".skip").press("Enter")
    page.wait_for_url("**#films")
    page.wait_for_timeout(500)
    assert calls == []
    expect(films).to_have_count(40)
    page.locator("#sort").select_option("title")
    expect(films).to_have_count(36)
    page.go_back()
    expect(page.locator("#sort")).to_have_value("popular")


def test_a_collection_is_ordered_narrowed_and_continued(visit: Visit) -> None:
    page = visit("/collection.html?type=genre&value=Drama")
    films = page.locator("#films .poster:not(.skeleton)")
    expect(films).to_have_count(36)
    page.get_by_role("button", name="More films").click()
    expect(films).to_have_count(72)
    page.locator("#sort").select_option("title")
    expect(films).to_have_count(36)
    names = [name.casefold() for name in page.locator("#films .title").all_inner_texts()]
    assert len(set(names)) == 36
    page.locator("#decade").select_option("1940")
    expect(films.first).to_contain_text(re.compile(r"194\d"))
    assert all(re.search(r"194\d", text) for text in films.all_inner_texts())
    assert "decade=1940" in page.url
    page.go_back()
    expect(page.locator("#decade")).to_have_value("")


def test_an_unknown_genre_and_film_are_said(visit: Visit, complaints: list[str]) -> None:
    page = visit("/collection.html?type=genre&value=Nope")
    expect(page.locator("#fault")).to_contain_text("no item has 'Nope' as genres")
    page = visit("/movie.html?movieId=987654321")
    expect(page.locator("#fault")).to_contain_text("no item 987654321")
    page = visit("/movie.html")
    expect(page.locator("#fault")).to_contain_text("is not a film's id")
    assert all("404" in each for each in complaints)
    complaints.clear()


def test_a_films_counters_are_live_and_each_kind_has_a_tab(visit: Visit, martlet: Martlet) -> None:
    page = visit("/movie.html?movieId=1")
    expect(page.locator("#title")).to_have_text("Toy Story")
    ratings = page.locator("#counters div", has_text="Ratings").first.locator("dd")
    before = int(ratings.inner_text().replace(",", ""))
    assert martlet.post({"type": "rating", "user_id": 930_800, "item_id": 1, "rating": 5}).status_code == 202
    expect(ratings).to_have_text(f"{before + 1:,}", timeout=30_000)
    kinds = martlet.http.get("/v1/items/1/similar").json()["kinds"]
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_count(len(kinds))
    expect(tabs.first).to_have_attribute("aria-selected", "true")
    tabs.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#near .poster").first).to_be_visible()


def test_a_click_in_a_list_is_an_event_and_a_film_can_be_rated_where_it_is_shown(
    visit: Visit, martlet: Martlet
) -> None:
    user = 930_700
    page = visit(f"/user.html?id={user}")
    link = page.locator("#list .tile:not(.skeleton) h3 a").first
    title = link.text_content() or ""  # inner_text is empty until the tile is drawn (content-visibility)
    link.click()
    expect(page.locator("#title")).to_have_text(title)
    expect(page.locator("#freshness")).to_contain_text(f"You opened “{title}”", timeout=30_000)
    expect(page.locator("#freshness")).to_have_class("applied", timeout=30_000)
    assert martlet.user(user)["counts"]["click"] == 1
    page.locator("#acts .star input[value='5']").click(force=True)
    expect(page.locator("#freshness")).to_contain_text(f"You gave “{title}” 5 ★", timeout=30_000)
    expect(page.locator("#freshness")).to_have_class("applied", timeout=30_000)
    expect(page.locator("#freshness")).to_contain_text("It begins with")
    expect(page.get_by_role("link", name="See your list")).to_have_attribute("href", f"/user.html?id={user}")
    page.reload()  # is no second click
    expect(page.locator("#title")).to_have_text(title)
    user_now = martlet.user(user)
    assert (user_now["counts"]["click"], user_now["counts"]["rating"]) == (1, 1)


def test_a_page_that_back_brings_again_shows_the_list_of_now(visit_small: Visit) -> None:
    page = visit_small("/?id=8")
    mine = page.locator("#for-you .tile")
    expect(mine).not_to_have_count(0)
    # Chromium keeps no page for Back under a test: the event is all that a page gets of it.
    back = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
    page.route("**/v1/recommendations*", lambda route: route.fulfill(json=route.fetch().json() | {"degraded": []}))
    with page.expect_response("**/v1/recommendations*"):  # whole now: nothing more is asked for by itself
        pass
    page.wait_for_timeout(500)
    with page.expect_response("**/v1/recommendations?user_id=8*"):
        page.evaluate(back)
    expect(mine).not_to_have_count(0)
    page.evaluate("localStorage.setItem('martlet.user', '7')")
    with page.expect_navigation():
        page.evaluate(back)
    expect(page.locator("#for-you-name")).to_have_text("Your list, user 7")
    expect(mine).not_to_have_count(0)


def test_a_row_that_failed_can_be_tried_again(visit_small: Visit, complaints: list[str]) -> None:
    page = visit_small("/docs.html")
    trending = "**/v1/items?sort=trending*"
    page.route(trending, lambda route: route.fulfill(status=500, json={"detail": "not now"}))
    page.goto("/")
    row = page.locator("#trending")
    expect(row).to_contain_text("not now")
    row.get_by_role("button", name="Try again").click()
    expect(row).to_contain_text("not now")
    page.unroute_all()
    row.get_by_role("button", name="Try again").click()
    expect(row.locator(".poster:not(.skeleton)")).not_to_have_count(0)
    expect(row).not_to_contain_text("not now")
    assert all("500" in each for each in complaints)
    complaints.clear()


def test_more_films_that_do_not_come_say_so_where_one_looks(visit_small: Visit, complaints: list[str]) -> None:
    page = visit_small("/collection.html")
    films = page.locator("#films .poster:not(.skeleton)")
    expect(films).to_have_count(36)
    page.route("**/v1/items?*", lambda route: route.fulfill(status=500, json={"detail": "not now"}))
    more = page.get_by_role("button", name="More films")
    more.click()
    expect(page.locator("#fault")).to_have_text("not now")
    expect(page.locator("#fault")).to_be_in_viewport()
    expect(films).to_have_count(36)
    page.unroute_all()
    more.click()
    expect(films).to_have_count(40)
    assert all("500" in each for each in complaints)
    complaints.clear()


def test_another_choice_that_does_not_come_leaves_no_way_on_in_the_one_before(
    visit_small: Visit, complaints: list[str]
) -> None:
    page = visit_small("/collection.html")
    films, more = page.locator("#films .poster:not(.skeleton)"), page.get_by_role("button", name="More films")
    expect(more).to_be_visible()
    page.route("**/v1/items?*", lambda route: route.fulfill(status=500, json={"detail": "not now"}))
    page.locator("#sort").select_option("newest")
    expect(page.locator("#fault")).to_contain_text("not now")
    expect(more).to_be_hidden()
    expect(page.locator("#said")).to_be_empty()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(films).to_have_count(36)
    expect(more).to_be_visible()
    complaints.clear()
