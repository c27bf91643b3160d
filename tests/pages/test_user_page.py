"""The user page on a running home: rating a film changes the list."""

import re
from itertools import count

import pytest
from playwright.sync_api import Page, Route, expect

from benchmarks.faults.suspended import suspended
from tests.home import Martlet
from tests.pages.conftest import Moves, Visit, calls_of
from tests.patience import patience

pytestmark = pytest.mark.pages

APPLIED = re.compile(
    r"^You .+: your list was renewed [\d,]+ ms later\. .+\. [\d,.]+ ms of that from the log to your features$"
)
TIMEOUT_MS = patience(60_000)
"""A machine under load may need more than the first try; the page asks again by itself."""
users = count(930_001)


def open_user(visit: Visit, user: int, **more: object) -> Page:
    page = visit(f"/user.html?id={user}", **more)
    expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)
    return page


def titles(page: Page) -> list[str]:
    return page.locator("#list .tile:not(.ghost) h3").all_text_contents()


def rate(page: Page, position: int, stars: int) -> str:
    """Rate the film at a position, from 0; returns its title."""
    tile = page.locator("#list .tile:not(.ghost)").nth(position)
    title = tile.locator("h3").text_content() or ""  # inner_text is empty until the tile is drawn (content-visibility)
    tile.locator(f".star input[value='{stars}']").click(force=True)
    return title


def test_a_rating_changes_the_list_the_history_and_the_freshness_line(visit: Visit) -> None:
    page = open_user(visit, next(users))
    expect(page.locator("#lead")).to_contain_text("Nobody has heard of this user yet")
    before = titles(page)
    rated = rate(page, 2, 5)
    line = page.locator("#freshness")
    expect(line).to_have_text(APPLIED, timeout=TIMEOUT_MS)
    expect(line).to_contain_text(f"You gave “{rated}” 5 ★")
    assert rated not in titles(page)
    assert titles(page) != before
    expect(page.locator("#history li").first).to_contain_text(rated)
    expect(page.locator("#history li").first).to_contain_text("5 ★")
    expect(page.locator("#tastes li").first).to_be_visible()
    expect(page.locator("#list .change:visible").first).to_have_text(re.compile("new|▲|▼"))


def test_undo_takes_the_rating_back(visit: Visit) -> None:
    page = open_user(visit, next(users))
    rated = rate(page, 0, 5)
    expect(page.locator("#freshness")).to_have_text(APPLIED, timeout=TIMEOUT_MS)
    expect(page.locator("#history li")).to_have_count(1)
    page.get_by_role("button", name=re.compile("Take back")).click()
    expect(page.locator("#history li")).to_have_count(0, timeout=TIMEOUT_MS)
    expect(page.locator("#freshness")).to_contain_text(f"You took back your 5 ★ for “{rated}”")
    expect(page.locator("#freshness")).to_have_text(APPLIED, timeout=TIMEOUT_MS)
    assert rated in titles(page)


def test_likes_and_dislikes_count_and_a_reload_shows_the_same(visit: Visit) -> None:
    page = open_user(visit, next(users))
    for what in ("like", "dislike"):
        page.locator(f"#list .tile .thumb.{what}").first.click()
        expect(page.locator("#freshness")).to_have_text(APPLIED, timeout=TIMEOUT_MS)
        page.wait_for_timeout(600)  # a second click at the same place within half a second would be a double click
    expect(page.locator("#facts")).to_contain_text("1 · 1")
    before = titles(page)
    page.reload()
    expect(page.locator("#history li")).to_have_count(2)
    expect(page.locator("#history li").first).to_contain_text("disliked")
    expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)
    assert len(set(before) & set(titles(page))) > 10  # the last place may explore


def test_what_happens_in_one_tab_moves_the_other(visit: Visit) -> None:
    user = next(users)
    one, other = open_user(visit, user), open_user(visit, user)
    expect(other.locator("#live")).to_be_visible()
    rated = rate(one, 1, 5)
    expect(other.locator("#freshness")).to_have_text(
        re.compile("^Something you did elsewhere: your list was renewed"), timeout=TIMEOUT_MS
    )
    expect(other.locator("#history li").first).to_contain_text(rated)
    assert rated not in titles(other)
    expect(one.locator("#freshness")).to_have_text(APPLIED, timeout=TIMEOUT_MS)


def test_the_keyboard_is_enough_to_rate(visit: Visit) -> None:
    page = open_user(visit, next(users))
    page.locator("#list .tile .star input").first.focus()
    page.keyboard.press("4")
    expect(page.locator("#list .hint:visible")).to_have_text("Enter: rate 4 ★")
    page.keyboard.press("Enter")
    expect(page.locator("#freshness")).to_have_text(APPLIED, timeout=TIMEOUT_MS)
    expect(page.locator("#history li").first).to_contain_text("4 ★")
    assert page.evaluate("document.activeElement.closest('#list') !== null")


def test_a_film_tells_why_it_is_there(visit: Visit) -> None:
    page = open_user(visit, 6)
    tile = page.locator("#list .tile").first
    tile.locator(".face").hover()
    panel = page.locator("#why")
    expect(panel).to_contain_text("Why it is here")
    expect(panel).to_contain_text(tile.locator("h3").text_content() or "no title")
    expect(panel).to_contain_text(re.compile("1st of [\\d,]+ by the model"))
    expect(panel).to_contain_text("your taste for")
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    why_button = tile.locator(".ask")
    why_button.focus()
    page.keyboard.press("Enter")
    for control in (why_button, tile.locator(".stars")):
        one, other = panel.bounding_box(), control.bounding_box()
        assert one is not None
        assert other is not None
        assert one["x"] >= other["x"] + other["width"] or one["x"] + one["width"] <= other["x"]
    panel.get_by_role("button", name="Close").press("Enter")
    expect(panel).to_have_count(0)
    expect(why_button).to_be_focused()
    page.wait_for_timeout(600)
    expect(panel).to_have_count(0)


def test_the_mark_of_a_tile_and_why_speak_of_the_same_move(visit: Visit) -> None:
    page = open_user(visit, next(users))
    rate(page, 1, 5)
    expect(page.locator("#freshness")).to_have_text(APPLIED, timeout=TIMEOUT_MS)
    changes = 0
    for tile in page.locator("#list .tile:not(.ghost)").all():
        tile.scroll_into_view_if_needed()
        mark = tile.locator(".change")
        change = mark.inner_text() if mark.is_visible() else ""
        tile.locator(".ask").click()
        sentence = tile.locator(".move").inner_text() if tile.locator(".move").count() else ""
        page.keyboard.press("Escape")
        if change in ("", "new"):
            assert sentence == ("New in this list." if change else "")
            continue
        was, now = map(int, re.findall(r"(\d+)(?:st|nd|rd|th)", sentence))
        assert change == (f"▲ {was - now}" if was > now else f"▼ {now - was}")
        assert now == int(tile.locator(".rank").inner_text())
        changes += 1
    words = page.locator("#freshness").inner_text()
    assert changes == sum(int(n) for n in re.findall(r"(\d+) (?:up|down)", words))


def test_tastes_near_zero_wait_behind_a_button(visit: Visit) -> None:
    page = open_user(visit, 6)
    rows = page.locator("#tastes > li:not(.ghost)")
    expect(rows.first).to_contain_text(re.compile(r"day \S+\s% · weeks \S+\s%"))
    few = rows.count()
    page.get_by_role("button", name=re.compile("^Show all")).click()
    expect(rows).not_to_have_count(few)
    page.get_by_role("button", name="Show fewer").click()
    expect(rows).to_have_count(few)


def test_channels_show_what_they_found(visit: Visit) -> None:
    page = open_user(visit, 6)
    popular = page.locator("#channels button[data-name='popular']")
    shown = int(popular.locator("small").inner_text())
    popular.click()
    expect(popular).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#list .tile:not(.aside)")).to_have_count(shown)


def test_two_models_stand_side_by_side(visit: Visit) -> None:
    page = open_user(visit, 6)
    page.locator("#model").select_option("fusion")
    page.locator("#beside").select_option("widedeep")
    expect(page.locator(".side")).to_have_count(2)
    expect(page.locator(".side.left li")).to_have_count(20)
    expect(page.locator(".side.right li")).to_have_count(20)
    expect(page.locator(".side h3")).to_have_text([re.compile("^fusion"), re.compile("^widedeep")])
    marks = page.locator(".side.left .change").all_inner_texts()
    assert all(re.fullmatch(r"only here|same place|here \d+\w\w · there \d+\w\w", mark) for mark in marks)
    expect(page.locator("#sides-said")).to_contain_text("by two models")
    assert "beside=widedeep" in page.url
    page.go_back()
    expect(page.locator("#sides")).to_be_hidden()
    expect(page.locator("#list")).to_be_visible()


def test_a_link_within_the_page_is_no_way_back(visit_small: Visit) -> None:
    page = visit_small("/docs.html")
    Moves(page)
    page.goto("/user.html?id=7")
    expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)
    calls = calls_of(page)
    page.locator(".skip").press("Enter")
    page.wait_for_url("**#recommended")
    page.wait_for_timeout(500)
    assert [path for path in calls if not path.startswith("v1/stream")] == []


def test_an_act_waits_for_its_list_after_a_way_back_too(visit_small: Visit) -> None:
    page = visit_small("/docs.html")
    applied = False

    def answer(route: Route) -> None:
        found = route.fetch().json()
        found["degraded"] = []
        found["freshness"] |= {"seen_applied": applied, "applied_in_ms": 1}
        route.fulfill(json=found)

    page.route("**/v1/recommendations*", answer)
    page.goto("/user.html?id=7")
    expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)
    page.locator("#beside").select_option(index=1)
    expect(page.locator(".side")).to_have_count(2)
    page.locator("#beside").select_option(index=0)
    expect(page.locator("#sides")).to_be_hidden()
    rate(page, 1, 5)
    expect(page.locator("#freshness")).to_contain_text("Asking again")
    page.go_back()
    expect(page.locator(".side")).to_have_count(2)
    applied = True
    expect(page.locator("#freshness")).to_contain_text("5 ★: your list was renewed")
    expect(page.locator("#list .waiting")).to_have_count(0)


def test_an_unknown_model_and_a_wrong_user_are_said(visit: Visit, complaints: list[str]) -> None:
    page = visit("/user.html?id=6&model=nosuch")
    expect(page.locator("#fault-text")).to_contain_text("no model 'nosuch' is ready")
    page = visit(f"/user.html?id={'x' * 129}")
    expect(page.locator("#lead")).to_contain_text("x” is not a user id")
    assert all("404" in each for each in complaints)
    complaints.clear()


def test_a_stopped_redis_is_a_degraded_list_and_then_no_more(visit: Visit, martlet: Martlet) -> None:
    page = open_user(visit, 6)
    expect(page.locator("#degraded")).to_be_hidden()
    pid = martlet.status()["services"]["redis"]["pid"]
    with suspended(pid):
        page.reload()
        expect(page.locator("#degraded")).to_contain_text(
            "your newest ratings may be missing for a moment", timeout=TIMEOUT_MS
        )
        expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)
        expect(page.locator("#lead")).to_contain_text("older figures")
        ops = visit("/ops.html")
        expect(ops.locator("#verdict-word")).to_have_text(re.compile("Degraded|alarm"))
        expect(ops.locator("#ledger")).to_contain_text("Redis does not answer")
    expect(page.locator("#degraded")).to_be_hidden(timeout=TIMEOUT_MS)  # without a hand
    expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)


def test_a_phone_shows_it_all_without_scrolling_sideways(visit: Visit) -> None:
    page = open_user(visit, 6, width=360, height=740)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("#list .tile .thumb.like").first.scroll_into_view_if_needed()
    box = page.locator("#list .tile .thumb.like").first.bounding_box()
    assert box is not None
    assert box["width"] >= 40
    assert box["height"] >= 40


def test_a_time_beyond_all_dates_is_shown_as_it_is(visit_small: Visit) -> None:
    page = visit_small("/docs.html")

    def schema(route: Route) -> None:
        known = route.fetch().json()
        route.fulfill(json=known | {"users": [{"name": "joined", "type": "time", "many": False}]})

    def user(route: Route) -> None:
        known = route.fetch().json()
        route.fulfill(json=known | {"attributes": {"joined": 1_700_000_000_000_000_000}, "tastes": {}, "history": []})

    page.route("**/v1/schema", schema)
    page.route("**/v1/users/7", user)
    page.goto("/user.html?id=7")
    fact = page.locator("#facts div", has_text="Joined").locator("time")
    expect(fact).to_have_text("1700000000000000000")
    assert fact.get_attribute("datetime") is None
    expect(page.locator("#facts")).to_contain_text("Now, in the data's time")
    expect(page.locator("#no-history")).to_be_visible()
