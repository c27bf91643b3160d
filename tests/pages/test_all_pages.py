"""Every page is accessible, light, usable on narrow screens, quiet on the console, and never renders data as markup."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from online.app import PAGES
from tests.home import Martlet
from tests.pages.conftest import Visit

pytestmark = pytest.mark.pages

ADDRESSES = {
    "home": "/",
    "user": "/user.html?id=6",
    "sides": "/user.html?id=6&model=fusion&beside=widedeep",
    "movie": "/movie.html?movieId=50",
    "collection": "/collection.html?type=genre&value=Sci-Fi",
    "ops": "/ops.html",
    "docs": "/docs",
}
READY = {
    "home": "#trending .poster:not(.skeleton)",
    "user": "#list .tile:not(.skeleton)",
    "sides": ".side.right li",
    "movie": "#near .poster:not(.skeleton)",
    "collection": "#films .poster:not(.skeleton)",
    "ops": "#models table",
    "docs": "#calls details",
}
LIMIT = 300_000


def open_ready(visit: Visit, name: str, **more: Any) -> Page:
    page = visit(ADDRESSES[name], **more)
    expect(page.locator(READY[name]).first).to_be_visible()
    return page


@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["light", "dark"])
@pytest.mark.parametrize("name", ADDRESSES)
def test_axe_finds_nothing(visit: Visit, name: str, dark: bool) -> None:
    page = open_ready(visit, name, dark=dark)
    found = Axe().run(page).response["violations"]
    problems = [
        f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']][:3]} {each['nodes'][0].get('failureSummary')}"
        for each in found
    ]
    assert problems == []


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_phone_needs_no_scrolling_sideways(visit: Visit, name: str) -> None:
    page = open_ready(visit, name, width=360, height=740)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_page_is_small(visit: Visit, name: str) -> None:
    page = open_ready(visit, name)
    page.wait_for_timeout(500)
    sizes = page.evaluate("performance.getEntriesByType('resource').map((each) => [each.name, each.encodedBodySize])")
    document = page.evaluate("performance.getEntriesByType('navigation')[0].encodedBodySize")
    assert document + sum(size for _, size in sizes) <= LIMIT, sorted(sizes, key=lambda each: -each[1])[:8]


def test_nothing_comes_from_elsewhere_and_nothing_is_inline() -> None:
    for file in PAGES.glob("*.html"):
        text = file.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), file.name
        assert re.findall(r"<script(?![^>]*src=)", text) == [], file.name
        for address in re.findall(r'(?:src|href)="([^"]+)"', text):
            if address.startswith("#"):
                assert f'id="{address[1:]}"' in text, (file.name, address)
            else:
                assert address.startswith("/"), (file.name, address)
                path = address.split("?")[0]
                assert path in ("/", "/openapi.json", "/metrics") or (PAGES / path[1:]).exists(), (file.name, address)
    for file in PAGES.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', file.read_text()):
            assert (PAGES / name).exists(), (file.name, name)
    assert sum(len(gzip.compress(Path(file).read_bytes())) for file in PAGES.iterdir()) < LIMIT


def test_the_policy_of_content_allows_no_inline_code(martlet: Martlet) -> None:
    answer = martlet.http.get("/user.html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (
        martlet.http.get(
            "/user.js", headers={"If-None-Match": martlet.http.get("/user.js").headers["etag"]}
        ).status_code
        == 304
    )


def test_a_title_out_of_data_is_text_wherever_it_is_shown(visit: Visit, martlet: Martlet) -> None:
    title = '<img src=x onerror=alert(1)> & "Sons" \''
    item = 970_001
    put = martlet.http.put(
        f"/v1/items/{item}", content=json.dumps({"title": title, "genres": ["<b>Odd</b>"], "year": 1999})
    )
    assert put.status_code == 200, put.text
    page = visit(f"/movie.html?movieId={item}")
    expect(page.locator("#title")).to_have_text(title)
    assert page.locator("main img").count() == 0
    page.locator("#search").fill("<img")
    expect(page.locator("#found")).to_be_visible()
    assert page.locator("#found img").count() == 0
    answer = martlet.post({"type": "like", "user_id": 930_900, "item_id": item})
    assert answer.status_code == 202
    martlet.applied(930_900, answer.json()["seen"])
    page = visit("/user.html?id=930900")
    expect(page.locator("#history li").first).to_contain_text(title)
    assert page.locator("#history img").count() == 0
