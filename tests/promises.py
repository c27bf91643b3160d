"""The tests that docs/promises.md names, and which of them a run leaves out."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from infra.system.repository import REPO

PAGE: Final = (REPO / "docs" / "promises.md").read_text(encoding="utf-8")


class Named(NamedTuple):
    """A test that holds a promise. path: of its file, from the repository's root; soak: whether it runs with `--all` only."""

    path: str
    name: str
    soak: bool


NAMED: Final = [
    Named(path, name, bool(soak))
    for path, name, soak in re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`(?: \((\*soak\*)\))?", PAGE)
]


def not_collected(node_ids: Iterable[str], files: Iterable[str]) -> list[str]:
    """The named tests of these files that are not among the collected ones, which are given by their node ids."""
    looked_at = set(files)
    wanted = {f"{each.path}::{each.name}" for each in NAMED if each.path in looked_at}
    return sorted(wanted - {each.partition("[")[0] for each in node_ids})
