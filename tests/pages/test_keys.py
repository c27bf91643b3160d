"""With API keys, a page prompts for one, and keeps it private."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.home import Martlet, until
from tests.online.in_process import api
from tests.pages.conftest import Visit, pages_at, serving

pytestmark = [pytest.mark.pages, pytest.mark.soak]

KEY = "k" * 24


@pytest.fixture
def keyed(martlet: Martlet) -> Iterator[Martlet]:
    """The home, with an API key while the test runs."""
    file = martlet.home / "access.json"
    before = file.read_bytes()
    file.write_text(json.dumps(json.loads(before) | {"keys": {"page": KEY}}))
    try:
        until(lambda: martlet.http.get("/v1/models").status_code == 401, 30, "the key is asked for")
        yield martlet
    finally:
        file.write_bytes(before)
        until(lambda: martlet.http.get("/v1/models").status_code == 200, 30, "no key is asked for")


def test_a_key_is_asked_for_once_and_the_page_is_whole_with_it(
    visit: Visit, keyed: Martlet, complaints: list[str]
) -> None:
    page = visit("/user.html?id=6")
    page.get_by_role("textbox", name="API key").fill("x" * 24)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("dialog")).to_contain_text("That key was refused")
    page.get_by_role("textbox", name="API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("#list .tile:not(.skeleton)")).to_have_count(20)
    expect(page.locator("#live")).to_be_visible()
    assert KEY not in page.content()
    assert KEY not in page.evaluate("JSON.stringify([localStorage, sessionStorage, location.href, document.cookie])")
    assert all(re.search("40[13]", each) for each in complaints)
    complaints.clear()


def test_a_key_that_only_reads_is_kept_after_what_it_may_not_do(
    browser: Browser, tmp_path: Path, complaints: list[str]
) -> None:
    (tmp_path / "access.json").write_text(json.dumps({"keys": {"reader": {"key": KEY, "role": "read"}}}))
    app = api(tmp_path, access=str(tmp_path / "access.json"))
    with serving(app) as address, pages_at(browser, f"http://{address}", complaints) as visit:
        page = visit("/movie.html?movieId=3&list=0123456789abcdef&at=0")
        page.get_by_role("textbox", name="API key").fill(KEY)
        with page.expect_response("**/v1/events") as click:
            page.get_by_role("button", name="Use this key").click()
        assert click.value.status == 403
        line = page.locator("#freshness")
        expect(line).to_have_text("Rate it: your list renews itself.")
        page.locator("#acts .thumb.like").click()
        expect(line).to_contain_text(
            "not sent. expected a key of the role write for POST, got 'reader' of the role read"
        )
        expect(page.get_by_role("dialog")).to_have_count(0)
        with page.expect_response("**/v1/items/3") as poll:
            pass
        assert poll.value.status == 200
        assert complaints
        assert all(re.search("40[13]", each) for each in complaints)
        complaints.clear()


def test_who_gives_no_key_is_told_so_and_not_asked_again(visit: Visit, keyed: Martlet, complaints: list[str]) -> None:
    page = visit("/ops.html")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#verdict-why")).to_contain_text("expected a key in the header X-API-Key")
    page.wait_for_timeout(2500)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert all("401" in each for each in complaints)
    complaints.clear()


@pytest.mark.parametrize("wrong", ["ключ" * 6, "two words of a key that was", "   "])
def test_what_can_be_no_key_is_not_taken_for_one(
    browser: Browser, tmp_path: Path, complaints: list[str], wrong: str
) -> None:
    (tmp_path / "access.json").write_text(json.dumps({"keys": {"page": KEY}}))
    app = api(tmp_path, access=str(tmp_path / "access.json"))
    with serving(app) as address, pages_at(browser, f"http://{address}", complaints) as visit:
        page = visit("/movie.html?movieId=3")
        key = page.get_by_role("textbox", name="API key")
        key.fill(wrong)
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert key.evaluate("(input) => input.validationMessage").startswith("A key has no such letters")
        key.fill(f" {KEY} ")
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator("#title")).not_to_be_empty()
        expect(page.locator("#near .poster:not(.skeleton)").first).to_be_visible()
        assert all("401" in each for each in complaints)
        complaints.clear()
