"""What a test file needs decides when it runs: what needs nothing first, whole homes last.

A file says it itself, in one line: `pytestmark = pytest.mark.keras`. A file that says nothing is pure: no service but a Redis of
its own, no JVM, no TensorFlow, nothing that is waited for. `--stage pure,keras` runs some stages only, and does not even import
the files of others.
"""

import re
from pathlib import Path

import pytest

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests into the order of their stages; within one they stay as they are."""
    order = {name: number for number, name in enumerate(STAGES)}
    stages = {path: stage_of(path) for path in {item.path for item in items}}
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            needed = _NEEDED_FOR.get(fixture)
            if needed is not None and stages[item.path] not in needed:
                raise pytest.UsageError(
                    f"{item.nodeid} uses `{fixture}`: its file must say pytestmark = pytest.mark.{needed[0]}"
                )
    items.sort(key=lambda item: order[stages[item.path]])
