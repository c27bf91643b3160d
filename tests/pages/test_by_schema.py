"""Pages of a home without films say and offer what its schema says. The real API, with its pages, in this process over a
small base; its Redis is away, which the pages say, and its log keeps what is posted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Route, expect

from features.schema.tables import read_schema
from tests.online.in_process import FakeLog, api
from tests.pages.conftest import Visit, pages_at, serving

pytestmark = pytest.mark.pages

SCHEMA = """
ids = "strings"
noun = "lamp"

[events.click]
click = true
weight = 0.25

[events.like]
weight = 1.0

[events.add_to_cart]
value = "quantity"
weights = [[1, 0.5], [3, 1.0]]

[events.share]
weight = 0.5

[items.category]
type = "facet"
many = true

[items.brand]
type = "facet"

[items.price]
type = "number"
bands = [0, 50]

[items.genres]
type = "facet"
many = true
tastes = false
[users.plan]
type = "facet"

[users.interests]
type = "facet"
many = true
"""
PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x80\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
LAMPS: dict[str, dict[str, Any]] = {
    "desk/1": {
        "title": "Desk Lamp",
        "category": ["Office", "Reading"],
        "brand": "Acme",
        "price": 49.9,
        "genres": ["Retro"],
    },
    "näive-2": {"title": "Night Light", "category": ["Bedroom"], "brand": "Apex", "price": 12},
    "7": {"title": "Flood Light", "category": ["Garden"], "image_url": "https://elsewhere.example/7.gif"},
}


@pytest.fixture(scope="module")
def images() -> Iterator[str]:
    """A host of images, as host:port."""

    async def pixel(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/gif")]})
        await send({"type": "http.response.body", "body": PIXEL})

    with serving(pixel) as address:
        yield address


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, images: str) -> Iterator[tuple[str, FakeLog]]:
    """An API of lamps, as its address and its log."""
    folder: Path = tmp_path_factory.mktemp("shop")
    (folder / "access.json").write_text(f'{{"image_hosts": ["{images}"]}}')
    log: Any = FakeLog()
    app = api(folder, read_schema(SCHEMA, "schema.toml"), access=str(folder / "access.json"))
    app.state.server = replace(app.state.server, event_log=log)
    with serving(app) as address, httpx.Client(base_url=f"http://{address}", trust_env=False) as http:
        lamps = [{"item_id": each, **fields} for each, fields in LAMPS.items()]
        lamps[0]["image_url"] = f"http://{images}/desk.gif"
        assert http.post("/v1/items", json=lamps).status_code == 200
        yield f"http://{address}", log


@pytest.fixture
def visit(browser: Browser, shop: tuple[str, FakeLog], complaints: list[str]) -> Iterator[Visit]:
    """Opens a page of the shop."""
    with pages_at(browser, shop[0], complaints) as open_page:
        yield open_page


def test_a_page_says_what_items_are_called(visit: Visit) -> None:
    page = visit("/collection.html")
    expect(page.locator("#name")).to_have_text("All lamps")
    expect(page.get_by_role("combobox", name="Search lamps")).to_be_visible()
    expect(page.locator("#genres")).to_have_attribute("aria-label", "Category")
    expect(page.locator("#genres .pill")).to_have_text(["All", "Bedroom", "Garden", "Office", "Reading"])
    expect(page.locator("#decade")).to_be_hidden()
    assert "film" not in page.locator("body").inner_text().replace("Film ", "").lower()  # titles of the small base
    page.get_by_role("link", name="Office", exact=True).click()
    expect(page.locator("#films .poster:not(.skeleton)")).to_have_count(1)
    expect(page.locator("#films .title")).to_have_text("Desk Lamp")
    expect(page.locator("#films .under")).to_contain_text("49.9")
    assert page.url.endswith("/collection.html?type=category&value=Office")


def test_what_was_put_last_is_newest_where_items_have_no_years(visit: Visit) -> None:
    page = visit("/collection.html?sort=newest")
    words = ["most liked lately", "more than usual today", "newest", "title"]
    expect(page.locator("#sort option")).to_have_text(words)
    expect(page.locator("#sort")).to_have_value("newest")
    expect(page.locator("#films .poster:not(.skeleton)").nth(1)).to_be_visible()
    newest = page.locator("#films .title").all_inner_texts()[:2]
    assert set(newest) == {"Desk Lamp", "Night Light"}, "the base has an item 7 already"


def test_a_schema_that_does_not_come_at_once_is_asked_for_again(
    browser: Browser, shop: tuple[str, FakeLog], complaints: list[str]
) -> None:
    answers = iter([503, 0])
    with pages_at(browser, shop[0], complaints) as visit:
        page = visit("/docs.html")

        def answer(route: Route) -> None:
            status = next(answers, None)
            if status is None:
                route.continue_()
            elif status:
                route.fulfill(status=status, json={"detail": "busy"})
            else:
                route.abort()

        page.route("**/v1/schema", answer)
        page.goto("/collection.html")
        expect(page.locator("#name")).to_have_text("All lamps")
        assert len(complaints) == 2
        assert all("Failed to load resource" in each for each in complaints)
        complaints.clear()


def test_blanks_around_an_id_are_part_of_it_unless_it_was_typed(visit: Visit) -> None:
    page = visit("/user.html?id=%20Zo%C3%AB%20")
    expect(page.locator("#name")).to_have_js_property("textContent", "User  Zoë ")
    page.locator("#go-id").fill(" Ada ")
    page.get_by_role("button", name="Change").click()
    page.wait_for_url("**/user.html?id=Ada")


def test_an_item_shows_price_and_facets_and_no_stars(visit: Visit) -> None:
    page = visit("/movie.html?movieId=n%C3%A4ive-2")
    expect(page.locator("#title")).to_have_text("Night Light")
    expect(page.locator("#lead")).to_contain_text("price 12")
    expect(page.locator("#lead")).not_to_contain_text("year")
    assert page.locator(".star").count() == 0
    expect(page.locator("#acts .thumb")).to_have_count(1)
    expect(page.locator("#counters")).not_to_contain_text("Ratings")
    page.get_by_role("link", name="Apex").click()
    expect(page.locator("#name")).to_have_text("Apex")
    expect(page.locator("#films .title")).to_have_text("Night Light")


def test_a_facet_that_is_called_as_films_labels_are_is_one_like_others(visit: Visit) -> None:
    page = visit("/movie.html?movieId=desk%2F1")
    page.get_by_role("link", name="Retro").click()
    expect(page.locator("#name")).to_have_text("Retro")
    expect(page.locator("#films .title")).to_have_text("Desk Lamp")


def test_an_act_of_the_schema_is_posted_with_its_value(visit: Visit, shop: tuple[str, FakeLog]) -> None:
    page = visit("/?id=Zo%C3%AB")
    expect(page.locator("#for-you-name")).to_have_text("Your list, user Zoë")
    page.goto("/movie.html?movieId=desk%2F1")
    page.get_by_role("spinbutton", name="Add to cart, how many: Desk Lamp").fill("3")
    page.get_by_role("button", name="Add to cart: Desk Lamp").click()
    expect(page.locator("#freshness")).to_contain_text("Add to cart 3: “Desk Lamp”: it is kept")
    page.get_by_role("button", name="Share: Desk Lamp").click()
    expect(page.locator("#freshness")).to_contain_text("Share: “Desk Lamp”: it is kept")
    schema = read_schema(SCHEMA, "schema.toml")
    kept = [
        (schema.kind(each.kind).name, each.centi, each.user, each.item) for each in shop[1].events if each.user == "Zoë"
    ]
    assert kept == [("add_to_cart", 300, "Zoë", "desk/1"), ("share", 0, "Zoë", "desk/1")]


def test_a_user_is_shown_with_attributes(visit: Visit) -> None:
    page = visit("/user.html?id=8")
    expect(page.locator("#facts div", has_text="Plan")).to_have_text("Planpaid")
    expect(page.locator("#facts .words li")).to_have_text(["paid"])
    expect(page.locator("#facts")).not_to_contain_text("Interests")


def test_a_tile_has_the_acts_behind_a_word(visit: Visit, shop: tuple[str, FakeLog]) -> None:
    page = visit("/?id=tile-user")
    tile = page.locator("#for-you .tile", has_text="Desk Lamp")
    tile.get_by_text("more", exact=True).click()
    tile.get_by_role("button", name="Share: Desk Lamp").click()
    expect(page.locator("#freshness")).to_contain_text("Share: “Desk Lamp”: it is kept")
    assert tile.locator("details").get_attribute("open") is None
    (event,) = [each for each in shop[1].events if each.user == "tile-user"]
    assert (event.item, event.request_id is not None, event.position is not None) == ("desk/1", True, True)


def test_an_image_is_shown_from_an_allowed_host_alone(visit: Visit, complaints: list[str]) -> None:
    page = visit("/movie.html?movieId=desk%2F1")
    photo = page.locator("#face img")
    expect(photo).to_have_js_property("naturalWidth", 1)
    page = visit("/movie.html?movieId=7")
    expect(page.locator("#title")).to_have_text("Flood Light")
    assert page.locator("#face img").count() == 0
    expect(page.locator("#face svg")).to_be_visible()
    blocked = page.evaluate(
        """() => new Promise((done) => {
            document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => done(violatedDirective));
            document.body.append(Object.assign(new Image(), { src: "https://elsewhere.example/7.gif" }));
        })"""
    )
    assert blocked == "img-src"
    assert complaints
    assert all("Content Security Policy" in each for each in complaints)
    complaints.clear()


@pytest.mark.parametrize("path", ["/movie.html?movieId=desk%2F1", "/collection.html", "/", "/user.html?id=8"])
def test_axe_finds_nothing(visit: Visit, path: str) -> None:
    page = visit(path)
    expect(page.locator(".poster:not(.skeleton), #title, .words").first).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found] == []
