"""The pages in a real browser, on a running home: first paint, bytes, and time from a rating to the list.

Each visit is in a browser context of its own, so that nothing comes out of a cache. A rating's time is taken in the page: from
the click to the first frame after the list was renewed and the line below its heading says so.
"""

import shutil
from pathlib import Path
from typing import Any

from benchmarks.harness.homes import Running
from benchmarks.harness.run_report import Report, spread
from features.errors import Unavailable
from infra.home.paths import Home

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
USER = 940_000
"""A user who rates here and occurs in no data set."""
PAGES = {
    "/": "#trending .poster:not(.skeleton)",
    "/user.html": "#list .tile:not(.skeleton)",
    "/user.html, two models": ".side.right li",
    "/movie.html": "#near .poster:not(.skeleton)",
    "/collection.html": "#films .poster:not(.skeleton)",
    "/ops.html": "#models table",
}
ADDRESSES = {
    "/user.html": "/user.html?id=6",
    "/user.html, two models": "/user.html?id=6&model=fusion&beside=widedeep",
    "/movie.html": "/movie.html?movieId=50",
    "/collection.html": "/collection.html?type=genre&value=Comedy",
}
_MEASURE = """() => {
  const navigation = performance.getEntriesByType("navigation")[0];
  const resources = performance.getEntriesByType("resource");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return {paint: paint?.startTime ?? null, requests: resources.length + 1,
          bytes: [navigation, ...resources].reduce((sum, each) => sum + each.transferSize, 0)};
}"""
_RATE = """async (stars) => {
  const line = document.getElementById("freshness");
  const told = new Promise((done) => {
    new MutationObserver((_, watcher) => {
      if (!line.matches(".applied, .failed")) return;
      watcher.disconnect();
      requestAnimationFrame(() => setTimeout(() => done(performance.now())));
    }).observe(line, {attributes: true, childList: true, attributeFilter: ["class"]});
  });
  const star = document.querySelector(`#list .tile:not(.ghost) .star input[value="${stars}"]`);
  const began = performance.now();
  star.click();
  const ended = await told;
  return {ms: ended - began, applied: line.matches(".applied"), said: line.textContent};
}"""


def run(home: Path, visits: int, ratings: int, json: Path | None) -> None:
    """Print the figures. Raises Unavailable if nothing runs in the home, or there is no browser."""
    from playwright.sync_api import sync_playwright

    address = Running(Home(home)).api
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise Unavailable(f"no browser on PATH (looked for {', '.join(BROWSERS)})")
    report = Report("pages", {"visits": visits, "ratings": ratings})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        for name, ready in PAGES.items():
            report.add(_visits(browser, address + ADDRESSES.get(name, name), ready, visits), name)
        report.add(_ratings(browser, address, ratings), "rating → list")
        browser.close()
    report.show()
    report.save(json)


def _visits(browser: Any, address: str, ready: str, visits: int) -> dict[str, Any]:
    paints, content_shown, sizes, requests = [], [], [], 0
    for _ in range(visits):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(address)
        page.locator(ready).first.wait_for()
        content_shown.append(page.evaluate("performance.now()"))
        page.wait_for_timeout(1000)  # what comes after it counts, too
        measured = page.evaluate(_MEASURE)
        paints.append(measured["paint"])
        sizes.append(measured["bytes"] / 1000)
        requests = max(requests, measured["requests"])
        context.close()
    measured_paints = [paint for paint in paints if paint is not None]
    return {
        "first paint, ms, median": spread("paint", measured_paints)["paint, p50"],
        "first paint, ms, worst": max(measured_paints, default=None),
        "first content out of data, ms, median": spread("shown", content_shown)["shown, p50"],
        "kB transferred, most": max(sizes),
        "requests": requests,
    }


def _ratings(browser: Any, address: str, ratings: int) -> dict[str, Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/user.html?id={USER}")
    page.locator("#list .tile:not(.skeleton)").first.wait_for()
    page.wait_for_timeout(1000)
    times, missed = [], 0
    for number in range(ratings + 3):
        found = page.evaluate(_RATE, 5 - number % 3)
        if number < 3:  # the first ones warm connections and caches
            continue
        missed += not found["applied"]
        times.append(found["ms"])
        page.wait_for_timeout(700)  # a person looks
    context.close()
    return spread("click → list on screen, ms", times) | {"not applied": missed}
