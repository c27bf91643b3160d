"""Pages lead where they say: relative links, their anchors, and paths in backticks."""

import re
from pathlib import Path

import pytest

from infra.system.repository import REPO

PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").glob("**/*.md")])
TOP = ("benchmarks", "docs", "features", "infra", "models", "offline", "online", "requirements", "streaming", "tests")
IN_A_HOME = {"models/<name>/<version>/", "models/recmodel"}
"""What begins like a folder of the repository and lies elsewhere."""


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors_of(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPO).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors_of(there), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPO).as_posix())
def test_paths_in_backticks_are_there(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # it tells of what there was
        return
    named = re.findall(rf"`((?:{'|'.join(TOP)})/[\w./<>-]*)", page.read_text(encoding="utf-8"))
    gone = {
        name
        for name in named
        if name not in IN_A_HOME and "NAME" not in name and not (REPO / name.rstrip("/.")).exists()
    }
    assert gone == set()


def test_every_page_of_docs_is_in_the_index() -> None:
    index = (REPO / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (REPO / "docs").glob("*.md")} - {"index.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()
