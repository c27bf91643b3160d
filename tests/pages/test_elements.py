"""Every element that a page's scripts name is in its HTML, with the expected tag: by static analysis."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from infra.system.repository import REPO

PAGES = REPO / "online" / "pages"
TAGS = {
    "HTMLAnchorElement": "a",
    "HTMLButtonElement": "button",
    "HTMLFormElement": "form",
    "HTMLInputElement": "input",
    "HTMLProgressElement": "progress",
    "HTMLSelectElement": "select",
}


class Page(HTMLParser):
    """ids: id → tag; scripts: the modules that the page loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: dict[str, str] = {}
        self.scripts: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if identifier := given.get("id"):
            self.ids[identifier] = tag
        if tag == "script" and (source := given.get("src")):
            self.scripts.add(source.removeprefix("/"))


def modules_of(scripts: set[str]) -> set[str]:
    """The scripts and all modules that they import."""
    found: set[str] = set()
    waiting = list(scripts)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += re.findall(r'from "\./([\w-]+\.js)"', (PAGES / name).read_text())
    return found


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.glob("*.html")))
def test_what_scripts_name_is_there(page: str) -> None:
    html = Page(PAGES / page)
    named = {
        (module, identifier, kind)
        for module in modules_of(html.scripts)
        for identifier, kind in re.findall(r'\$\("([\w-]+)"(?:, (\w+))?\)', (PAGES / module).read_text())
    }
    assert named
    assert {each for each in named if each[1] not in html.ids} == set()
    assert {each for each in named if each[2] and html.ids[each[1]] != TAGS[each[2]]} == set()
