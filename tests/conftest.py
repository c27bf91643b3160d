"""One Martlet for all tests that need a whole one, started once; and how many examples a property is tried with."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

from tests.home import Martlet, running

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=200, print_blob=True)
settings.register_profile(  # a planted fault is to be caught, not explained
    "mutations", deadline=None, derandomize=True, max_examples=200, phases=[Phase.explicit, Phase.generate]
)
settings.register_profile("nightly", deadline=None, max_examples=1000, print_blob=True)
PROFILE = os.environ.get("MARTLET_TEST_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
settings.load_profile(PROFILE)


def pytest_report_header() -> str:
    """Which examples this run tries: the same ones each time, or others."""
    chosen = settings.default
    which = "the same each time" if chosen.derandomize else "others each time"
    return f"hypothesis profile: {PROFILE} ({chosen.max_examples} examples a property, {which})"


@pytest.fixture(scope="session")
def martlet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Martlet]:
    """A home with MovieLens 100K, 80 % history."""
    with running(tmp_path_factory.mktemp("home")) as home:
        yield home
