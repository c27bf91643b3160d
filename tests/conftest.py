"""One Martlet for all tests that need a whole one; the order of tests, how many examples a property is tried with, and what a
failing test leaves behind."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.evidence import pytest_runtest_makereport
from tests.home import Martlet, running
from tests.java import SHORT_LIVED
from tests.patience import patience
from tests.seed import HISTORY, LATER, cache, seed
from tests.stages import pytest_addoption, pytest_collection_modifyitems, pytest_configure, pytest_ignore_collect

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_ignore_collect",
    "pytest_runtest_makereport",
]

_users = count(960_000)
os.environ.setdefault("JDK_JAVA_OPTIONS", SHORT_LIVED)
os.environ.setdefault("PYTEST_TIMEOUT", str(patience(600)))  # seconds a test, what it needs made included

settings.register_profile("dev", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=200, print_blob=True)
settings.register_profile(  # a planted fault is to be caught, not explained
    "mutations", deadline=None, derandomize=True, max_examples=200, phases=[Phase.explicit, Phase.generate]
)
settings.register_profile("nightly", deadline=None, max_examples=1000, print_blob=True)
PROFILE = os.environ.get("MARTLET_TEST_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
settings.load_profile(PROFILE)


def pytest_report_header() -> str:
    """Which examples this run tries: the same ones each time, or others."""
    chosen = settings()
    which = "the same each time" if chosen.derandomize else "others each time"
    return f"hypothesis profile: {PROFILE} ({chosen.max_examples} examples a property, {which})"


@pytest.fixture(scope="session")
def seeds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of seeds: the kept ones, or one of this run alone (--fresh)."""
    return tmp_path_factory.mktemp("seeds") if request.config.getoption("--fresh") else cache()


@pytest.fixture(scope="session")
def martlet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, seeds: Path) -> Iterator[Martlet]:
    """A home with MovieLens 100K, 80 % history, and small models."""
    options = ["--scale"] if request.config.getoption("--scaled") else []
    with running(tmp_path_factory.mktemp("home"), *options, seed=seed(HISTORY, seeds)) as home:
        yield home


@pytest.fixture(scope="session")
def later(seeds: Path) -> Path:
    """Embeddings and a two-tower model that the home does not have yet, laid out as in a home."""
    return seed(LATER, seeds)


@pytest.fixture
def new_user() -> int:
    """A user whom no other test knows."""
    return next(_users)
