"""What a test file needs decides when it runs: what needs nothing first, whole homes last.

A file says it itself, in one line: `pytestmark = pytest.mark.keras`. A file that says nothing is pure: no service but a Redis of
its own, no JVM, no TensorFlow, nothing that is waited for. `--stage pure,keras` runs some stages only, and does not even import
the files of others.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.system.repository import REPO
from tests.promises import NAMED, not_collected

PURE = "pure"
STAGES = {
    PURE: "needs nothing: runs in parallel, and first",
    "keras": "imports TensorFlow, or starts a process that does",
    "spark": "shares one Spark session",
    "services": "starts Kafka, a Redis Cluster, or programs of ours, and waits for them",
    "broken": "breaks a home of its own",
    "home": "shares one running home",
    "pages": "looks at the shared home in a browser, after all else",
}
"""In the order in which they run."""
_SAID = re.compile(rf"^pytestmark = .*pytest\.mark\.({'|'.join(STAGES)})\b", re.MULTILINE)
_NEEDED_FOR = {"spark": ("spark",), "martlet": ("home", "pages"), "broken": ("broken",)}
"""Fixture → the stages that a test with it may be in: one that is elsewhere would keep it alive beside everything else."""
SLOW_TO_IMPORT = ("tensorflow", "keras", "pyspark")
"""What no file of a pure test may import: each process that runs some of them would."""


def stage_of(path: Path) -> str:
    """The stage of a test file, read from its text."""
    said = _SAID.search(path.read_text(encoding="utf-8"))
    return said[1] if said else PURE


def chosen(config: pytest.Config) -> set[str]:
    """The stages to run. Raises UsageError for one that there is not."""
    names = {name for name in str(config.getoption("--stage")).split(",") if name} or set(STAGES)
    if unknown := names - set(STAGES):
        raise pytest.UsageError(f"--stage: expected some of {', '.join(STAGES)}, got {', '.join(sorted(unknown))}")
    return names


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("martlet")
    group.addoption("--stage", default="", help=f"Only these stages, with commas between: {', '.join(STAGES)}.")
    group.addoption(
        "--fresh", action="store_true", help="Homes start from a seed that is made now, not from a kept one."
    )
    group.addoption("--scaled", action="store_true", help="The shared home has several servers of each engine.")


def pytest_configure(config: pytest.Config) -> None:
    for name, what in STAGES.items():
        config.addinivalue_line("markers", f"{name}: {what}")
    chosen(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if is_test and stage_of(collection_path) not in chosen(config) else None


def slow_imports(names: Iterable[str], modules: Iterable[str]) -> list[str]:
    """What is slow to import and among the loaded modules, where only pure tests were to be collected."""
    return sorted(set(SLOW_TO_IMPORT).intersection(modules)) if set(names) == {PURE} else []


class Unfit(pytest.Item):
    """A test that fails, for what is wrong with the tests that were collected: pytest-xdist has no words for an error then."""

    def __init__(self, *, complaint: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._complaint = complaint

    def runtest(self) -> None:
        pytest.fail(self._complaint, pytrace=False)


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Bring the tests into the order of their stages; within one they stay as they are. What is wrong with them as a whole fails
    first."""
    order = {name: number for number, name in enumerate(STAGES)}
    stages = {path: stage_of(path) for path in {item.path for item in items}}
    found = list(complaints(config, items, stages))
    items.sort(key=lambda item: order[stages[item.path]])
    items[:0] = [
        Unfit.from_parent(session, name=f"collection-{each}", complaint=text) for each, text in enumerate(found)
    ]


def complaints(config: pytest.Config, items: Sequence[pytest.Item], stages: Mapping[Path, str]) -> Iterator[str]:
    """Yields a sentence for each fault: a test in a stage that lacks what it uses; pure tests that import what is slow; a run of
    whole stages that leaves out a test that docs/promises.md names."""
    if slow := slow_imports(chosen(config), sys.modules):
        yield f"pure tests import {', '.join(slow)}: their files need another stage, or to import it later"
    if config.args_source is config.ArgsSource.TESTPATHS:
        named = {each.path for each in NAMED if (REPO / each.path).is_file()}
        files = {path for path in named if stage_of(REPO / path) in chosen(config)}
        if missing := not_collected((item.nodeid for item in items), files):
            yield f"docs/promises.md names tests that are not collected: {', '.join(missing)}"
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            needed = _NEEDED_FOR.get(fixture)
            if needed is not None and stages[item.path] not in needed:
                yield f"{item.nodeid} uses `{fixture}`: its file must say pytestmark = pytest.mark.{needed[0]}"
