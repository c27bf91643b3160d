"""The operator's page: live figures, and a replay that is started, sped up and stopped from it."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.home import Martlet, until
from tests.pages.conftest import Visit
from tests.patience import patience

pytestmark = pytest.mark.pages

TIMEOUT_MS = patience(60_000)


def admin_key(martlet: Martlet) -> str:
    key: str = json.loads((martlet.home / "access.json").read_text())["admin_key"]
    return key


def figure(page: Page, name: str) -> str:
    return page.locator(".figure", has=page.get_by_role("heading", name=name)).locator(".value").inner_text()


def test_a_step_of_the_start_that_failed_is_named(visit: Visit) -> None:
    page = visit("/docs.html")

    def answer(route: Route) -> None:
        overview = route.fetch().json()
        overview["flow"] = (overview["flow"] or {"asked_at": overview["asked_at"]}) | {
            "failed_steps": ["training data"]
        }
        route.fulfill(json=overview)

    page.route("**/v1/ops", answer)
    page.goto("/ops.html")
    expect(page.locator("#verdict-why")).to_contain_text("could not be prepared: training data")
    expect(page.locator("#verdict-word")).not_to_have_text("All well")


def test_what_is_shown_is_what_is_counted(visit: Visit, martlet: Martlet) -> None:
    answer = martlet.post({"type": "click", "user_id": 930_600, "item_id": 1})
    martlet.recommend(930_600, seen=answer.json()["seen"])
    page = visit("/ops.html")
    expect(page.locator("#verdict-word")).to_have_text(re.compile("All well|alarm|Degraded"))
    expect(page.locator("#ledger")).to_contain_text("✓ adds up")

    def complete() -> dict[str, Any] | None:
        """The page's figures once all are there: on a busy machine the job's or the monitor's may be late."""
        found: dict[str, Any] = martlet.http.get("/v1/ops").json()
        job = found["flow"] and found["flow"]["job"]
        return found if found["job"] and job and job["checkpoint"] and job["checkpoint"]["completed"] else None

    ops = until(complete, 60, "a checkpoint")
    assert ops["job"]["read"] == sum(ops["job"]["verdicts"].values())
    until(lambda: figure(page, "waiting to be folded") != "–", 60, "what waits")
    expect(page.locator(".figure", has_text="newest checkpoint").locator(".value")).to_have_text(
        re.compile(r"^\d+ s ago$"), timeout=TIMEOUT_MS
    )
    ranking = [model["name"] for model in martlet.http.get("/v1/models").json()["models"]]
    expect(page.locator("#models tbody tr")).to_have_count(len(ranking))
    expect(page.locator("#models")).to_contain_text("default")
    expect(page.locator(".histogram")).to_have_count(2)
    expect(page.locator("#flink")).to_have_attribute("href", re.compile(r"^http://127\.0\.0\.1:\d+/#/job/running/"))


def test_experiments_are_counted_by_arm(visit: Visit, martlet: Martlet) -> None:
    file = martlet.home / "serving.json"
    arm = {"share": 1.0, "policy": {"diversity": 0.2}}
    file.write_text(json.dumps({"experiments": [{"name": "tried", "layer": "l", "arms": {"mixed": arm}}]}))
    try:
        until(lambda: martlet.recommend(930_500).get("arms"), 30, "the experiment")
        shown = martlet.recommend(930_500)
        liked = {
            "type": "like",
            "user_id": 930_500,
            "item_id": shown["items"][0]["item_id"],
            "request_id": shown["request_id"],
        }
        assert martlet.post([liked, liked | {"type": "click"}]).status_code == 202

        def mixed() -> dict[str, Any]:
            (experiment,) = martlet.http.get("/v1/ops").json()["experiments"]
            found: dict[str, Any] = next(each for each in experiment["arms"] if each["name"] == "mixed")
            return found

        until(lambda: mixed()["acted"], 30, "the act is counted")
        assert mixed()["lists"] >= 2
        assert (mixed()["acted"], mixed()["liked"]) == (1, 1)
        page = visit("/ops.html")
        expect(page.locator("#experiments tbody th").first).to_have_text("mixed")
    finally:
        file.unlink()


class Overview:
    """GET /v1/ops as a page gets it: the small API's, with a replay and with changes of a test's own."""

    def __init__(self, page: Page) -> None:
        self.replay = {"id": "before", "running": False, "speed": None, "first": 0, "row": 0, "last": 9, "error": None}
        self.read = 100
        page.route("**/v1/ops", self._answer)

    def _answer(self, route: Route) -> None:
        overview = route.fetch().json()
        overview["replay"] = self.replay
        overview["job"]["read"] = self.read
        route.fulfill(json=overview)

    def next(self, page: Page) -> None:
        """The answer to a request after this, shown."""
        self.read += 1
        expect(page.locator("#ledger")).to_contain_text(f"Events: {self.read} read")


def test_what_is_polled_keeps_the_focus_and_the_selection(visit_small: Visit) -> None:
    page = visit_small("/docs.html")
    overview = Overview(page)
    page.goto("/ops.html")
    link = page.locator("#models a").first
    link.focus()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#models thead'))")
    selected = page.evaluate("String(getSelection())")
    assert selected
    overview.next(page)
    overview.next(page)
    expect(link).to_be_focused()
    assert page.evaluate("String(getSelection())") == selected


@pytest.mark.parametrize("other", [True, False], ids=["another's", "none"])
def test_a_wish_that_is_not_carried_out_is_waited_for_no_longer(visit_small: Visit, other: bool) -> None:
    page = visit_small("/docs.html")
    overview = Overview(page)
    page.route("**/v1/admin/replay", lambda route: route.fulfill(status=202, json={"id": "ours"}))
    page.goto("/ops.html")
    status, start = page.locator("#replay-said"), page.locator("#replay-start")
    expect(status).to_contain_text("Not started")
    start.click()
    overview.next(page)
    expect(status).to_contain_text("Asked the supervisor")
    expect(start).to_be_disabled()
    if other:
        overview.replay |= {"id": "another's"}
        overview.next(page)
    expect(status).to_contain_text("Not started")
    expect(start).to_be_enabled()


def test_a_replay_wants_the_operators_key(martlet: Martlet) -> None:
    assert martlet.http.post("/v1/admin/replay", json={"speed": 10}).status_code == 401
    wrong = martlet.http.post("/v1/admin/replay", json={"speed": 10}, headers={"X-Admin-Key": "wrong" * 8})
    assert wrong.status_code == 403
    right = {"X-Admin-Key": admin_key(martlet)}
    for body in ({"speed": 0}, {"speed": "fast"}, {}, {"speed": 1, "more": 2}):
        assert martlet.http.post("/v1/admin/replay", json=body, headers=right).status_code == 422, body


def test_a_replay_is_started_hastened_and_stopped(visit: Visit, martlet: Martlet, complaints: list[str]) -> None:
    key = admin_key(martlet)
    page = visit("/ops.html")
    status = page.locator("#replay-said")
    expect(status).not_to_have_text("Asking …")
    page.get_by_text("1,000×", exact=True).click()
    page.locator("#replay-start").click()
    page.get_by_role("textbox", name="Admin key").fill("wrong" * 8)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("dialog")).to_contain_text("That key was refused")
    page.get_by_role("textbox", name="Admin key").fill(key)
    page.get_by_role("button", name="Use this key").click()
    expect(status).to_contain_text("Sending at 1,000× its own pace", timeout=TIMEOUT_MS)
    # It has begun anew once it has noted a row of its own; a replay of an earlier test may have sent all, or all up to a day.
    expect(status).to_contain_text(re.compile(r": (?!20,000)[\d,]+ of 20,000 events"), timeout=TIMEOUT_MS)
    assert "replay" in martlet.status()["services"]
    assert key not in page.content()
    assert (
        page.evaluate("JSON.stringify([localStorage, sessionStorage, location.href, document.cookie])").find(key) == -1
    )
    page.get_by_text("10,000×", exact=True).click()
    page.get_by_role("button", name="Change speed").click()
    expect(status).to_contain_text("Sending at 10,000× its own pace", timeout=TIMEOUT_MS)
    other = martlet.http.post("/v1/admin/replay", json={"speed": 700}, headers={"X-Admin-Key": key})
    assert other.status_code == 202
    expect(status).to_contain_text("Sending at 700× its own pace", timeout=TIMEOUT_MS)
    expect(page.get_by_role("radio", name="700×", exact=True)).to_be_checked()
    page.get_by_role("button", name="Stop").click()
    expect(status).to_contain_text(re.compile("Stopped after|Not started"), timeout=TIMEOUT_MS)
    until(lambda: "replay" not in martlet.status()["services"], 60, "the replay's end")
    assert all(re.search("40[13]", each) for each in complaints)
    complaints.clear()
