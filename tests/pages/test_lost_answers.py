"""An event whose answer is lost: it is sent once more under its id, and doing it again is no second event."""

from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.pages.conftest import Visit

pytestmark = [pytest.mark.pages, pytest.mark.soak]

FILM = "/movie.html?movieId=3"


def events_of(page: Page) -> list[dict[str, Any]]:
    """The events that a page sends from now on."""
    events: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/v1/events"):
            event: Any = request.post_data_json
            events.append(event)

    page.on("request", note)
    return events


def lose(route: Route, status: int) -> None:
    """The API takes the event; what comes back is a status of something between, or with 0 nothing."""
    route.fetch()
    if status:
        route.fulfill(status=status, body="")
    else:
        route.abort()


@pytest.mark.parametrize("status", [0, 502, 503, 504])
def test_an_event_whose_answer_is_lost_is_sent_again_under_its_id(
    visit_small: Visit, complaints: list[str], status: int
) -> None:
    page = visit_small(FILM)
    page.route("**/v1/events", lambda route: lose(route, status), times=1)
    events = events_of(page)
    page.locator("#acts .thumb.like").click()
    expect(page.locator("#freshness")).to_contain_text("it is kept")
    first, second = events
    assert len(first["event_id"]) == 32
    assert first == second
    assert complaints
    complaints.clear()


def test_what_may_have_been_kept_is_said_to_be_so_and_counts_once_if_done_again(
    visit_small: Visit, complaints: list[str]
) -> None:
    page = visit_small(FILM)
    page.route("**/v1/events", lambda route: lose(route, 0))
    events = events_of(page)
    page.locator("#acts .thumb.like").click()
    line = page.locator("#freshness")
    expect(line).to_contain_text("it may not have been kept. The server can't be reached")
    expect(page.locator("#undo")).to_be_hidden()
    page.unroute_all()
    page.locator("#acts .thumb.like").press("Enter")
    expect(line).to_contain_text("it is kept")
    page.locator("#acts .thumb.like").press("Enter")
    expect(line).to_contain_text("it is kept")
    ids = [event["event_id"] for event in events]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert complaints
    complaints.clear()


def test_another_act_on_the_same_film_is_another_event(visit_small: Visit, complaints: list[str]) -> None:
    page = visit_small(FILM)
    page.route("**/v1/events", lambda route: lose(route, 504))
    events = events_of(page)
    page.locator("#acts .thumb.like").click()
    line = page.locator("#freshness")
    expect(line).to_contain_text("it may not have been kept")
    page.unroute_all()
    for thumb in "dislike", "like":
        page.locator(f"#acts .thumb.{thumb}").press("Enter")
        expect(line).to_contain_text("disliked" if thumb == "dislike" else "liked")
        expect(line).to_contain_text("it is kept")
    assert len({event["event_id"] for event in events}) == 3
    assert complaints
    complaints.clear()


def test_what_was_refused_is_not_sent_again(visit_small: Visit, complaints: list[str]) -> None:
    page = visit_small(FILM)
    page.route("**/v1/events", lambda route: route.fulfill(status=422, json={"detail": "no such film"}))
    events = events_of(page)
    page.locator("#acts .thumb.like").click()
    expect(page.locator("#freshness")).to_contain_text("not sent. no such film")
    assert len(events) == 1
    assert complaints
    complaints.clear()
