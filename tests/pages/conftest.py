"""A real browser on a real home. Where there is no Chromium the tests of the pages do not run, and the summary says so; in CI
(CI=true) that is a failure."""

import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, expect, sync_playwright

from tests.home import Martlet, until
from tests.online.in_process import api
from tests.patience import patience
from tests.services import api_with

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_MS = patience(20_000)
DEADLINE_MS = 2_000
"""Of a list: ten times the default. What pages show of a list that lacks its model is tested where a service is stopped, and not
wherever the machine has other work."""
SEEN_WAIT_MS = 8_000
"""That a list waits for an event to be folded: a film's page asks once, with a timeout of 10 s."""
MISSING = f"the pages were NOT tested: no browser on PATH (looked for {', '.join(NAMES)}); on Debian: apt-get install chromium"

Visit = Callable[..., Page]


expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def patient(martlet: Martlet) -> Iterator[Martlet]:
    """The home, whose API takes its time for a list as long as pages are open."""
    with api_with(martlet, deadline_ms=DEADLINE_MS, seen_wait_ms=SEEN_WAIT_MS):
        yield martlet


# Playwright keeps an event loop in this thread: it must be gone when other files' tests want theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        # A root user's Chromium has no sandbox; --disable-dev-shm-usage: containers have little shared memory.
        options = ["--disable-dev-shm-usage"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """Errors and warnings on the pages' console. It must be empty at the end: a test that provokes one removes it."""
    return []


@pytest.fixture
def visit(browser: Browser, patient: Martlet, complaints: list[str]) -> Iterator[Visit]:
    """Opens a page of the home, each call in a browser of its own: visit("/", width=360, dark=True)."""
    with pages_at(browser, patient.address, complaints) as open_page:
        yield open_page


@contextmanager
def pages_at(browser: Browser, address: str, complaints: list[str]) -> Iterator[Visit]:
    """Opens pages of the API at an address, and closes them; nothing may have complained by then."""
    contexts: list[BrowserContext] = []

    def record(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.type}: {message.text}")

    def open_page(path: str, width: int = 1280, height: int = 900, dark: bool = False) -> Page:
        context = browser.new_context(
            base_url=address,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        context.on("console", record)
        context.on("weberror", lambda error: complaints.append(f"error: {error.error}"))
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An application on a port of its own, as host:port, for as long as the context lasts. It is not started: nothing is
    connected."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until(lambda: server.started, 30, "the application listens")
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(30)


@pytest.fixture(scope="module")
def small_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an API of 40 films in this process: its Redis is away, and its log takes every event."""
    with serving(api(tmp_path_factory.mktemp("films"))) as address:
        yield f"http://{address}"


@pytest.fixture
def visit_small(browser: Browser, small_api: str, complaints: list[str]) -> Iterator[Visit]:
    """Opens a page of the small API: for what a page does with answers, which tests may replace."""
    with pages_at(browser, small_api, complaints) as open_page:
        yield open_page


def hide(page: Page, hidden: bool = True) -> None:
    """Tell a page that nobody sees it, or that somebody does again."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def calls_of(page: Page) -> list[str]:
    """The API's paths, with parameters, that a page calls from now on."""
    calls: list[str] = []

    def note(request: Request) -> None:
        path = request.url.split("/", 3)[3]
        if path.startswith("v1/"):
            calls.append(path)

    page.on("request", note)
    return calls


class Moves:
    """A user's place in the log, as the stream and the lists of a page of the small API tell it; no list lacks anything."""

    def __init__(self, page: Page) -> None:
        self.n = 1
        page.route("**/v1/stream*", self._stream)
        page.route("**/v1/recommendations*", self._list)

    def _stream(self, route: Route) -> None:
        route.fulfill(content_type="text/event-stream", body=f"event: move\ndata: {json.dumps({'n': self.n})}\n\n")

    def _list(self, route: Route) -> None:
        answer: dict[str, Any] = route.fetch().json()
        answer["degraded"] = []
        answer["explain"]["user"]["n"] = self.n
        route.fulfill(json=answer)
